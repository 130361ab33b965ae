"""Untrusted text files: their encoding, lines and rows; error messages name the line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator
from pathlib import PureWindowsPath
from typing import Any

from services.base import text_file
from services.base.errors import Invalid

MAX_FILE_BYTES = 20_000_000
MAX_VALUES = 2_000_000  # of a JSON file
MAX_LINE = 4_000_000  # characters of a line of JSON: a prompt, escaped, and its other fields


class InvalidFile(Invalid):
    """A file that cannot be used; the message names the file and the line."""


def shown_name(filename: str) -> str:
    """Return a file's name for display: without folders, printable, not too long."""
    name = PureWindowsPath(filename).name
    return "".join(c if c.isprintable() else "?" for c in name)[-80:]


def check_size(data: bytes, name: str) -> None:
    """Check that a file is not too large. Raises InvalidFile."""
    if len(data) > MAX_FILE_BYTES:
        size, most = len(data) / 1e6, MAX_FILE_BYTES // 10**6
        raise InvalidFile(f"{name} is {size:.1f} MB. The limit is {most} MB: shorten the file.")


def decoded(data: bytes, name: str, assumed: list[str]) -> str:
    """Return the text of a file. If its encoding is guessed, a sentence about that is added to
    `assumed`.

    Raises:
        InvalidFile: it is not text, or its encoding cannot be determined.
    """
    kind = text_file.encoding(data)
    try:
        text = data.decode(kind)
    except UnicodeDecodeError as error:
        if (western := text_file.decode_western(data)) is not None:
            assumed.append(_read_as_western(western))
            return western
        if not kind.startswith("utf-8"):
            raise InvalidFile(f"{name} is damaged: save it as UTF-8.") from None
        line = data.count(b"\n", 0, error.start) + 1
        why = f"is not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise problem(name, f"line {line:,}", f"{why}. Save the file as UTF-8.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise problem(name, f"line {line:,}", "contains a NUL character: this is not a text file.")
    return text


def _read_as_western(text: str) -> str:
    """A sentence about the guess, with an example of the result."""
    sign = next(sign for sign in text if not sign.isascii())
    line = next(line for line in text.splitlines() if sign in line)
    begin = max(0, line.index(sign) - 20)
    return f"The file is not UTF-8 and is read as Windows-1252: “{line[begin : begin + 40]}”."


def json_lines(text: str, name: str, form: str) -> Iterator[tuple[str, Any]]:
    """Yield (`line 3`, value) for each line that is not blank; `form` describes what each must be.

    Raises:
        InvalidFile: a line is not JSON, or too long.
    """
    for number, line in enumerate(lines(text), 1):  # not at U+2028, as splitlines does
        location = f"line {number:,}"
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            raise problem(name, location, f"has more than {MAX_LINE:,} characters. Shorten it.")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = (
                error.msg
                if isinstance(error, json.JSONDecodeError)
                else "nested too deeply or too long"
            )
            raise problem(name, location, f"is not JSON ({why}). {form}") from None
        yield location, value


def whole_json(text: str) -> Any:
    """Return the JSON value of a whole file, or None if it is not one value or too large."""
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def lines(text: str) -> list[str]:
    """Return the lines of a text, with any of the three line endings."""
    return re.split(r"\r\n|\n|\r", text)


def delimiter_of(text: str, name: str, columns: Collection[str]) -> str:
    """Return the separator of a table's columns, some of which may be named in `columns`.

    Raises:
        InvalidFile: it is ambiguous.
    """
    delimiter = text_file.separator(text, columns)
    if delimiter is None:
        why = "has an ambiguous separator. Save the file as CSV with commas."
        raise problem(name, "line 1", why)
    return delimiter


def csv_rows(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (first line number, fields) for each row that is not blank.

    Raises:
        InvalidFile: a quote is not closed, or a field is too long.
    """
    rows = csv.reader(  # strict: an unclosed quote is an error
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
        raise problem(name, f"line {line:,}", f"is not CSV ({error}). {hint}") from None


def problem(name: str, location: str, sentence: str) -> InvalidFile:
    """Return the error for one location in a file."""
    return InvalidFile(f"{name}, {location}: {sentence}")
