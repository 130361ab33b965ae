"""The user's own prompts, read from an untrusted file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from services.ask import conversation
from services.ask.config import MAX_PROMPTS
from services.ask.workloads.entries import (
    LIMITS,
    REPLAY_IT,
    Notes,
    UnusableEntry,
    limit_of,
    prompt_of,
)
from services.ask.workloads.lines import (
    InvalidFile,
    check_size,
    csv_rows,
    decoded,
    delimiter_of,
    json_lines,
    lines,
    problem,
    shown_name,
    whole_json,
)
from services.ask.workloads.spread_sessions import Entry, entry_of, joined
from services.ask.workloads.tracefile import is_trace
from services.base import text_file
from services.base.units import listed, many

MAX_CHARACTERS = 200_000  # of one prompt
COLUMNS = ("prompt", "text", "text_input", "question")
LISTS = ("data", "prompts", "rows")  # of a JSON object that holds the entries


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The prompts of a file, in the format of `dialogue`; the maximum tokens of each answer, 0 if
    its entry has none (empty: none has any); and sentences about what was ignored or assumed."""

    prompts: tuple[str, ...]
    max_tokens: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


Entries = Iterator[tuple[str, Any]]  # location (`line 3`), value


def read_file(data: bytes, filename: str) -> PromptFile:
    """Read prompts from JSON, JSON lines, CSV or plain lines; the suffix of `filename` decides.

    An entry of JSON is a string, or an object with `prompt`, `text`, `messages` or another of
    `entries.KEYS`. A CSV file names its columns in the first row; the one in COLUMNS is used, or
    the only one.

    Raises:
        InvalidFile: the message names the file and the line, and says what to do.
    """
    name = shown_name(filename)
    reader = _READERS.get(PureWindowsPath(name).suffix.lower())
    if reader is None:
        raise InvalidFile(
            f"{name or 'The file'} is not a .jsonl, .ndjson, .json, .csv, .tsv or .txt file. "
            "Use JSONL (one prompt per line) or CSV (one prompt per row)."
        )
    check_size(data, name)
    notes, entries = Notes(), 0
    assumed: list[str] = []
    kept: list[Entry] = []
    alone, sessions = 0, set[str]()  # the prompts that will be left when sessions are joined
    for location, value in reader(decoded(data, name, assumed), name, assumed):
        entries += 1
        prompt = _prompt(value, notes, name, location)
        if prompt is None:
            continue
        kept.append(entry := _entry(value, prompt, name, location))
        alone += not entry.session
        if entry.session:
            sessions.add(entry.session)
        if alone + len(sessions) > MAX_PROMPTS:
            raise InvalidFile(
                f"{name} contains more than {MAX_PROMPTS:,} prompts. Shorten the file."
            )
    prompts, limits = _joined(kept, notes)
    if not prompts:
        raise InvalidFile(f"{name} contains no prompts{notes.why_none}. Add at least one.")
    own = tuple(limits) if any(limits) else ()
    if own:
        assumed.append(_own_limits(own))
    return PromptFile(tuple(prompts), own, (*assumed, *notes.sentences(entries)))


def _own_limits(limits: tuple[int, ...]) -> str:
    having = sum(limit > 0 for limit in limits)
    which = "each prompt" if having == len(limits) else f"{having:,} of {len(limits):,} prompts"
    return f"Token limits of answers come from the file, for {which}."


def _entry(value: Any, prompt: str, name: str, location: str) -> Entry:
    try:
        return entry_of(value, prompt, limit_of(value))
    except UnusableEntry as error:
        raise problem(name, location, str(error)) from None


def _joined(found: list[Entry], notes: Notes) -> tuple[list[str], list[int]]:
    """The prompts and their limits, with each session as one prompt."""
    entries = joined(found)
    of_session = Counter(entry.session for entry in found if entry.session)
    parts = [count for count in of_session.values() if count > 1]
    notes.spread, notes.into = sum(parts), len(parts)
    return [_cut(entry.prompt, notes) for entry in entries], [entry.limit for entry in entries]


def _cut(prompt: str, notes: Notes) -> str:
    kept = conversation.first_turns(prompt, MAX_CHARACTERS)
    notes.cut += kept != prompt
    return kept


def _prompt(value: Any, notes: Notes, name: str, location: str) -> str | None:
    try:
        prompt = prompt_of(value, notes)
    except UnusableEntry as error:
        raise problem(name, location, str(error)) from None
    except RecursionError:
        raise problem(name, location, "is nested too deeply. Give the prompt itself.") from None
    if prompt is not None:
        prompt = _cut(prompt, notes)
        notes.sessions += conversation.is_session(prompt)
        notes.whole += conversation.can_be_split(prompt)
    if prompt is not None and len(prompt) > MAX_CHARACTERS:
        size = f"has a prompt of {len(prompt):,} characters"
        raise problem(name, location, f"{size}. The limit is {MAX_CHARACTERS:,}: shorten it.")
    return prompt


def _jsonl(text: str, name: str, assumed: list[str]) -> Entries:
    """JSON lines, or a single list of entries."""
    if text.lstrip()[:1] == "[" and (whole := whole_json(text)) is not None:
        yield from _entries(whole)
        return
    yield from json_lines(text, name, 'Each line must be a JSON string or an object with "prompt".')


def _json(text: str, name: str, assumed: list[str]) -> Entries:
    """A list of entries, an object that contains one, or JSON lines."""
    document = whole_json(text)
    if document is None:
        yield from _jsonl(text, name, assumed)
        return
    if isinstance(document, dict):
        lists = [document[key] for key in LISTS if isinstance(document.get(key), list)]
        document = lists[0] if lists else [document]
    yield from _entries(document if isinstance(document, list) else [document])


def _entries(whole: list[Any]) -> Entries:
    return ((f"entry {number:,}", value) for number, value in enumerate(whole, 1))


def _txt(text: str, name: str, assumed: list[str]) -> Entries:
    assumed.append("Each line of the file is a prompt.")
    for number, line in enumerate(lines(text), 1):
        if line.strip():
            yield f"line {number:,}", line


def _csv(text: str, name: str, assumed: list[str]) -> Entries:
    delimiter = delimiter_of(text, name, COLUMNS)
    rows = csv_rows(text, name, delimiter)
    line, header = next(rows, (1, []))
    if not header:
        return
    titles = [title.strip().lower() for title in header]
    column = _column(titles, name, line)
    limits = [title for title in LIMITS if title in titles and titles.index(title) != column]
    if delimiter != "," or len(header) > 1:
        assumed.append(
            f"The prompts are in the column “{header[column].strip()[:40]}”, one of "
            f"{many(len(header), 'column')} separated by {text_file.SEPARATORS[delimiter]}."
        )
    for line, row in rows:
        if len(row) > len(header):
            why = f"has {len(row)} fields but the first row names {len(header)}"
            separator = text_file.SEPARATORS[delimiter][:-1]
            hint = f"Put a prompt that contains a {separator} in quotes."
            raise problem(name, f"line {line:,}", f"{why}. {hint}")
        text = row[column] if column < len(row) else ""
        own = dict(zip(titles, row, strict=False))
        given = {limit: own[limit] for limit in limits if own.get(limit, "").strip()}
        yield f"line {line:,}", {"prompt": text, **given} if given else text


def _column(titles: list[str], name: str, line: int) -> int:
    location = f"line {line:,}"
    for title in COLUMNS:
        if titles.count(title) > 1:
            raise problem(name, location, f'has two columns named "{title}". Rename one of them.')
        if title in titles:
            return titles.index(title)
    if len(titles) == 1 and " " not in titles[0]:  # with a space it looks like the first prompt
        return 0
    if is_trace(titles):
        raise problem(name, location, f"names the columns of a trace, {REPLAY_IT}")
    known = listed((f'"{column}"' for column in COLUMNS), "or")
    raise problem(name, location, f"has no column named {known}. Name one in the first row.")


_READERS: dict[str, Callable[[str, str, list[str]], Entries]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _txt,
}
ENDINGS = tuple(ending[1:] for ending in _READERS)
