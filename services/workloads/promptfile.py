"""A person's own prompts, read out of a file that cannot be trusted to be one."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import PureWindowsPath
from typing import Any

from services.config import MOST

PROMPTS_MOST = MOST
CHARACTERS_MOST = 200_000  # of one prompt
FILE_BYTES_MOST = 20_000_000


class InvalidPrompts(ValueError):
    """A file whose prompts cannot be used, in a sentence that names the file and the line."""


def read_prompts(data: bytes, filename: str) -> tuple[str, ...]:
    """Read prompts from a JSONL or a CSV file; the ending of `filename` tells which.

    A line of JSONL is a string, or an object with `prompt`, `text` or `messages`. A CSV file names
    its columns in the first row; the one called prompt or text is used, or the only one.

    Raises:
        InvalidPrompts: with a sentence that names the file, the line and what to do.
    """
    name = "".join(c if c.isprintable() else "?" for c in PureWindowsPath(filename).name)[-80:]
    reader = _READERS.get(PureWindowsPath(name).suffix.lower())
    if reader is None:
        raise InvalidPrompts(
            f"{name or 'The file'} is neither .jsonl nor .csv. "
            "Give a JSONL file (one prompt a line) or a CSV file (one prompt a row)."
        )
    if len(data) > FILE_BYTES_MOST:
        size, most = len(data) / 1e6, FILE_BYTES_MOST // 10**6
        raise InvalidPrompts(f"{name} has {size:.1f} MB. At most {most} MB are read: cut the file.")
    found: list[str] = []
    for line, value in reader(_decoded(data, name), name):
        if len(found) == PROMPTS_MOST:
            raise InvalidPrompts(f"{name} holds more than {PROMPTS_MOST:,} prompts. Cut the file.")
        found.append(_checked(value, name, line))
    if not found:
        raise InvalidPrompts(f"{name} holds no prompt. Write at least one.")
    return tuple(found)


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise _problem(name, line, f"{problem}. Save the file as UTF-8.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _problem(name, line, "holds a NUL character: this is not a text file.")
    return text


def _checked(value: Any, name: str, line: int) -> str:
    if not isinstance(value, str):
        raise _problem(name, line, "has a prompt that is not text. Put it in quotes.")
    if not value.strip():
        raise _problem(name, line, "has an empty prompt. Write it, or remove the line.")
    if len(value) > CHARACTERS_MOST:
        size = f"has a prompt of {len(value):,} characters"
        raise _problem(name, line, f"{size}. At most {CHARACTERS_MOST:,} are allowed: shorten it.")
    if "\0" in value or re.search("[\ud800-\udfff]", value):
        raise _problem(name, line, "has a prompt with a character that is not text. Remove it.")
    return value


def _jsonl(text: str, name: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):  # not U+2028, as splitlines
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = error.msg if isinstance(error, json.JSONDecodeError) else "too deep or too long"
            form = 'Each line must be a JSON string or an object with "prompt".'
            raise _problem(name, number, f"is not JSON ({why}). {form}") from None
        yield number, _prompt_of(value, name, number)


def _prompt_of(value: Any, name: str, line: int) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise _problem(name, line, 'must be a JSON string or an object with "prompt".')
    for key in ("prompt", "text"):
        if key in value:
            return value[key]
    if "messages" not in value:
        raise _problem(name, line, 'has no "prompt", "text" or "messages". Add one of them.')
    messages = value["messages"] if isinstance(value["messages"], list) else [None]
    contents = [m["content"] for m in messages if isinstance(m, dict) and "content" in m]
    if len(contents) < len(messages) or not all(isinstance(text, str) for text in contents):
        raise _problem(name, line, 'has "messages" that are not objects with a text "content".')
    return "\n\n".join(contents)  # what was said, in order, as one prompt


def _csv(text: str, name: str) -> Iterator[tuple[int, Any]]:
    rows = _rows(text, name)
    line, header = next(rows, (1, []))
    if not header:
        return
    column = _column([title.strip().lower() for title in header], name, line)
    for line, row in rows:
        if len(row) > len(header):
            problem = f"has {len(row)} fields where the first row names {len(header)}"
            raise _problem(name, line, f"{problem}. Put a prompt that holds a comma into quotes.")
        yield line, row[column] if column < len(row) else ""


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which it begins, fields) of each row that is not blank."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)  # strict: an open quote is wrong
    line = 1
    try:
        for row in rows:
            if any(field.strip() for field in row):
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        hint = "Close every quote; for prompts of over 100,000 characters use JSONL."
        raise _problem(name, line, f"is not CSV ({error}). {hint}") from None


def _column(titles: list[str], name: str, line: int) -> int:
    for title in ("prompt", "text"):
        if titles.count(title) > 1:
            raise _problem(name, line, f'names two columns "{title}". Rename one of them.')
        if title in titles:
            return titles.index(title)
    if len(titles) == 1 and " " not in titles[0]:  # with a space it looks like the first prompt
        return 0
    raise _problem(name, line, 'names no column "prompt" or "text". Name one so in the first row.')


def _problem(name: str, line: int, sentence: str) -> InvalidPrompts:
    return InvalidPrompts(f"{name}, line {line:,}: {sentence}")


_READERS: dict[str, Callable[[str, str], Iterator[tuple[int, Any]]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".csv": _csv,
}
