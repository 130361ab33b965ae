"""Bytes into objects: JSON, a JSON object a line, CSV or Parquet, whichever they are."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from services.base import text_file
from services.report.imports.imported import MOST_REQUESTS, InvalidImport

MOST_BYTES = 256_000_000
MOST_VALUES = 30_000_000  # of a file: two bytes there are fifty in memory
PARQUET = b"PAR1"
_COMMA = re.compile(r"\s*-?\d+,\d+\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """A file's objects. A single JSON object is one row; `kind` says how they were written."""

    kind: Literal["json", "csv", "parquet"]
    rows: tuple[dict[str, Any], ...]

    @property
    def first(self) -> dict[str, Any]:
        return self.rows[0]


def document(data: bytes) -> Document:
    """Read a file, whatever it is called.

    Raises:
        InvalidImport: it is none of these, too large, or ends in the middle.
    """
    if len(data) > MOST_BYTES:
        raise InvalidImport(
            f"It has {len(data) / 1e6:,.0f} MB. Paceline reads up to {MOST_BYTES / 1e6:,.0f} MB."
        )
    if not data.strip():
        raise InvalidImport("It is empty.")
    if data[:4] == PARQUET:
        return Document("parquet", ({"data": data},))
    try:
        text = text_file.decoded(data)
    except UnicodeDecodeError:
        raise InvalidImport(
            "It is not text in UTF-8 or UTF-16. Paceline reads JSON, JSON lines, CSV and its own "
            "Parquet."
        ) from None
    if text.lstrip()[:1] in ("{", "["):
        see_to_values(text.count(",") + text.count("[") + text.count("{"))
        found = _json(text)
    else:
        found = Document("csv", _some(_csv(text)))
    if not found.rows:
        raise InvalidImport("It contains no requests and no results.")
    see_to_requests(len(found.rows))
    return found


def see_to_requests(number: int) -> None:
    """Refuse a file that holds too many requests. Raises InvalidImport."""
    if number > MOST_REQUESTS:
        raise InvalidImport(
            f"It has more than {MOST_REQUESTS:,} entries, the most that Paceline reads."
        )


def see_to_values(number: int) -> None:
    """Refuse a file that holds too many values. Raises InvalidImport."""
    if number > MOST_VALUES:
        raise InvalidImport(
            f"It contains {number:,} values. Paceline reads up to {MOST_VALUES:,} per file: split "
            "it."
        )


def _some(rows: Iterator[Any]) -> tuple[Any, ...]:
    """As many as are read, and one more, which says that there are too many."""
    return tuple(islice(rows, MOST_REQUESTS + 1))


def _json(text: str) -> Document:
    try:
        value = json.loads(text)
    except RecursionError:
        raise InvalidImport("Its JSON is nested too deeply.") from None
    except ValueError:
        value = list(_some(_lines(text)))
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidImport("Its JSON contains no objects: no tool's results look like that.")
    return Document("json", tuple(rows))


def _lines(text: str) -> Iterator[Any]:
    """One JSON value a line; a file that is neither that nor one value is broken somewhere."""
    start, place = 0, 0
    while start < len(text):  # a line at a time: split at once, the file would be there twice
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        start, place = (end if end >= 0 else len(text)) + 1, place + 1
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except RecursionError:
            raise InvalidImport("Its JSON is nested too deeply.") from None
        except ValueError as error:
            raise InvalidImport(_broken(text, line, place, error)) from None


def _broken(text: str, line: str, place: int, error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        at_end = error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated")
        if at_end and (place > 1 or "\n" not in text.rstrip() or len(line.strip()) < 3):
            return "Its JSON is incomplete: the file was not fully written or copied."
    return (
        f"It looks like JSON, but line {place} cannot be read. Use the file as the tool wrote it."
    )


def _with_point(cell: str) -> str:
    """A number as `12,5` is what a spreadsheet writes where it separates by semicolons."""
    return cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell


def _csv(text: str) -> Iterator[dict[str, Any]]:
    sign = text_file.separator(text)
    if sign is None:
        raise InvalidImport(
            "It is a table with an ambiguous separator. Save it as CSV with commas."
        )
    see_to_values(text.count(sign))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    try:
        columns = [name.strip() for name in next(rows, [])]
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = map(_with_point, row) if sign == ";" else row
                yield dict(zip(columns, cells, strict=False))
    except csv.Error:
        raise InvalidImport("It is neither JSON nor a CSV file that can be read.") from None
