"""The user's own prompts, read from an untrusted file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

from services.ask.config import MOST_PROMPTS
from services.ask.workloads.entries import Notes, Unusable, prompt_of
from services.base import text_file
from services.base.errors import Invalid
from services.base.units import many

CHARACTERS_MOST = 200_000  # of one prompt
FILE_BYTES_MOST = 20_000_000
LINE_MOST = 4_000_000  # characters of a line of JSON: a prompt, escaped, and what stands beside it
VALUES_MOST = 2_000_000  # of a JSON file
COLUMNS = ("prompt", "text", "text_input", "question")
LISTS = ("data", "prompts", "rows")  # of a JSON object that holds the entries


class InvalidPrompts(Invalid):
    """A file whose prompts cannot be used, in a sentence that names the file and the line."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The prompts of a file, in the format of `dialogue`, and sentences about what was ignored or
    assumed."""

    prompts: tuple[str, ...]
    notes: tuple[str, ...] = ()


Entries = Iterator[tuple[str, Any]]  # location (`line 3`), value


def read_prompts(data: bytes, filename: str) -> tuple[str, ...]:
    """Return the prompts of a file; see `read_file`."""
    return read_file(data, filename).prompts


def read_file(data: bytes, filename: str) -> PromptFile:
    """Read prompts from JSON, JSON lines, CSV or plain lines; the suffix of `filename` decides.

    An entry of JSON is a string, or an object with `prompt`, `text`, `messages` or another of
    `entries.KEYS`. A CSV file names its columns in the first row; the one in COLUMNS is used, or
    the only one.

    Raises:
        InvalidPrompts: with a sentence that names the file, the line and what to do.
    """
    name = "".join(c if c.isprintable() else "?" for c in PureWindowsPath(filename).name)[-80:]
    reader = _READERS.get(PureWindowsPath(name).suffix.lower())
    if reader is None:
        raise InvalidPrompts(
            f"{name or 'The file'} is not a .jsonl, .ndjson, .json, .csv, .tsv or .txt file. "
            "Use JSONL (one prompt per line) or CSV (one prompt per row)."
        )
    if len(data) > FILE_BYTES_MOST:
        size, most = len(data) / 1e6, FILE_BYTES_MOST // 10**6
        raise InvalidPrompts(f"{name} is {size:.1f} MB. The limit is {most} MB: shorten the file.")
    notes, entries = Notes(), 0
    assumed: list[str] = []
    prompts: list[str] = []
    for location, value in reader(_decoded(data, name, assumed), name, assumed):
        entries += 1
        prompt = _prompt(value, notes, name, location)
        if prompt is not None and len(prompts) == MOST_PROMPTS:
            raise InvalidPrompts(
                f"{name} contains more than {MOST_PROMPTS:,} prompts. Shorten the file."
            )
        prompts += [] if prompt is None else [prompt]
    if not prompts:
        raise InvalidPrompts(f"{name} contains no prompts. Add at least one.")
    return PromptFile(tuple(prompts), (*assumed, *notes.sentences(entries)))


def _decoded(data: bytes, name: str, assumed: list[str]) -> str:
    kind = text_file.encoding(data)
    try:
        text = data.decode(kind)
    except UnicodeDecodeError as error:
        if (western := text_file.western(data)) is not None:
            assumed.append(_read_as_western(western))
            return western
        if not kind.startswith("utf-8"):
            raise InvalidPrompts(f"{name} is damaged: save it as UTF-8.") from None
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise _problem(name, f"line {line:,}", f"{problem}. Save the file as UTF-8.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _problem(name, f"line {line:,}", "contains a NUL character: this is not a text file.")
    return text


def _read_as_western(text: str) -> str:
    """The sentence about a guess shows what came of it."""
    sign = next(sign for sign in text if not sign.isascii())
    line = next(line for line in text.splitlines() if sign in line)
    begin = max(0, line.index(sign) - 20)
    return f"The file is not UTF-8 and is read as Windows-1252: “{line[begin : begin + 40]}”."


def _prompt(value: Any, notes: Notes, name: str, location: str) -> str | None:
    try:
        prompt = prompt_of(value, notes)
    except Unusable as error:
        raise _problem(name, location, str(error)) from None
    except RecursionError:
        raise _problem(name, location, "is nested too deeply. Give the prompt itself.") from None
    if prompt is not None and len(prompt) > CHARACTERS_MOST:
        size = f"has a prompt of {len(prompt):,} characters"
        raise _problem(name, location, f"{size}. The limit is {CHARACTERS_MOST:,}: shorten it.")
    return prompt


def _jsonl(text: str, name: str, assumed: list[str]) -> Entries:
    """JSON lines, or a single list of entries."""
    if text.lstrip()[:1] == "[" and (whole := _whole(text)) is not None:
        yield from _entries(whole)
        return
    for number, line in enumerate(_lines(text), 1):  # not U+2028, as splitlines
        location = f"line {number:,}"
        if not line.strip():
            continue
        if len(line) > LINE_MOST:
            raise _problem(name, location, f"has more than {LINE_MOST:,} characters. Shorten it.")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "too deep or too long"
            form = 'Each line must be a JSON string or an object with "prompt".'
            raise _problem(name, location, f"is not JSON ({why}). {form}") from None
        yield location, value


def _json(text: str, name: str, assumed: list[str]) -> Entries:
    """A list of entries, an object that holds one, or JSON lines after all."""
    whole = _whole(text)
    if whole is None:
        yield from _jsonl(text, name, assumed)
        return
    if isinstance(whole, dict):
        lists = [whole[key] for key in LISTS if isinstance(whole.get(key), list)]
        whole = lists[0] if lists else [whole]
    yield from _entries(whole if isinstance(whole, list) else [whole])


def _whole(text: str) -> Any:
    """Return the JSON value of a whole file, or None if it is not one value or too large."""
    if sum(map(text.count, ",[{")) > VALUES_MOST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _entries(whole: list[Any]) -> Entries:
    return ((f"entry {number:,}", value) for number, value in enumerate(whole, 1))


def _txt(text: str, name: str, assumed: list[str]) -> Entries:
    assumed.append("Each line of the file is a prompt.")
    for number, line in enumerate(_lines(text), 1):
        if line.strip():
            yield f"line {number:,}", line


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r", text)


def _csv(text: str, name: str, assumed: list[str]) -> Entries:
    delimiter = text_file.separator(text, COLUMNS)
    if delimiter is None:
        raise _problem(
            name,
            "line 1",
            "has an ambiguous separator. Save the file as CSV with commas.",
        )
    rows = _rows(text, name, delimiter)
    line, header = next(rows, (1, []))
    if not header:
        return
    column = _column([title.strip().lower() for title in header], name, line)
    if delimiter != "," or len(header) > 1:
        assumed.append(
            f"The prompts are the column “{header[column].strip()[:40]}” of "
            f"{many(len(header), 'column')}, separated by {text_file.SEPARATORS[delimiter]}."
        )
    for line, row in rows:
        if len(row) > len(header):
            problem = f"has {len(row)} fields but the first row names {len(header)}"
            separator = text_file.SEPARATORS[delimiter][:-1]
            hint = f"Put a prompt that contains a {separator} in quotes."
            raise _problem(name, f"line {line:,}", f"{problem}. {hint}")
        yield f"line {line:,}", row[column] if column < len(row) else ""


def _rows(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line number, fields) for each row that is not blank."""
    rows = csv.reader(  # strict: an open quote is wrong
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True
    )
    line = 1
    try:
        for row in rows:
            if any(field.strip() for field in row):
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        hint = "Close every quote; for prompts of more than 100,000 characters, use JSONL."
        raise _problem(name, f"line {line:,}", f"is not CSV ({error}). {hint}") from None


def _column(titles: list[str], name: str, line: int) -> int:
    location = f"line {line:,}"
    for title in COLUMNS:
        if titles.count(title) > 1:
            raise _problem(name, location, f'has two columns named "{title}". Rename one of them.')
        if title in titles:
            return titles.index(title)
    if len(titles) == 1 and " " not in titles[0]:  # with a space it looks like the first prompt
        return 0
    raise _problem(
        name,
        location,
        'has no column named "prompt", "text" or "question". Name one in the first row.',
    )


def _problem(name: str, location: str, sentence: str) -> InvalidPrompts:
    return InvalidPrompts(f"{name}, {location}: {sentence}")


_READERS: dict[str, Callable[[str, str, list[str]], Entries]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".txt": _txt,
}
ENDINGS = tuple(ending[1:] for ending in _READERS)
