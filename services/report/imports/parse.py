"""Parse a file as JSON, JSON lines, CSV or Parquet, whichever it is."""

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
from services.report.imports.imported import MAX_REQUESTS, InvalidImport

MAX_BYTES = 256_000_000
MAX_VALUES = 30_000_000  # two bytes in a file take fifty in memory
PARQUET = b"PAR1"
_COMMA = re.compile(r"\s*-?\d+,\d+\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """The objects in a file; a single JSON object is one row."""

    kind: Literal["json", "csv", "parquet"]
    rows: tuple[dict[str, Any], ...]

    @property
    def first(self) -> dict[str, Any]:
        return self.rows[0]


def document(data: bytes) -> Document:
    """Parse a file by its content.

    Raises:
        InvalidImport: it has another format, or is empty, too large or incomplete.
    """
    if len(data) > MAX_BYTES:
        raise InvalidImport(
            f"It is {len(data) / 1e6:,.0f} MB. Paceline reads up to {MAX_BYTES / 1e6:,.0f} MB."
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
        check_values(text.count(",") + text.count("[") + text.count("{"))
        parsed = _json(text)
    else:
        parsed = Document("csv", _take_limited(_csv(text)))
    if not parsed.rows:
        raise InvalidImport("It contains no requests and no results.")
    check_requests(len(parsed.rows))
    return parsed


def check_requests(number: int) -> None:
    """Raises InvalidImport if a file has too many requests."""
    if number > MAX_REQUESTS:
        raise InvalidImport(
            f"It has more than {MAX_REQUESTS:,} entries, the most that Paceline reads."
        )


def check_values(number: int) -> None:
    """Raises InvalidImport if a file has too many values."""
    if number > MAX_VALUES:
        raise InvalidImport(
            f"It contains {number:,} values. Paceline reads up to {MAX_VALUES:,} per file: split "
            "it."
        )


def _take_limited(rows: Iterator[Any]) -> tuple[Any, ...]:
    """Return at most one row more than the limit, so that exceeding it is noticed."""
    return tuple(islice(rows, MAX_REQUESTS + 1))


def _json(text: str) -> Document:
    try:
        value = json.loads(text)
    except RecursionError:
        raise InvalidImport("Its JSON is nested too deeply.") from None
    except ValueError:
        value = list(_take_limited(_lines(text)))
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidImport(
            "Its JSON contains no objects, so it is not a result of any known tool."
        )
    return Document("json", tuple(rows))


def _lines(text: str) -> Iterator[Any]:
    """Yield one JSON value per line. Raises InvalidImport at the first broken line."""
    start, number = 0, 0
    while start < len(text):  # not splitlines: the file would be in memory twice
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        start, number = (end if end >= 0 else len(text)) + 1, number + 1
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except RecursionError:
            raise InvalidImport("Its JSON is nested too deeply.") from None
        except ValueError as error:
            raise InvalidImport(_json_problem(text, line, number, error)) from None


def _json_problem(text: str, line: str, number: int, error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        at_end = error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated")
        if at_end and (number > 1 or "\n" not in text.rstrip() or len(line.strip()) < 3):
            return "Its JSON is incomplete: the file was not fully written or copied."
    return (
        f"It looks like JSON, but line {number} cannot be read. Use the file as the tool wrote it."
    )


def _decimal_point(cell: str) -> str:
    """Replace the decimal comma that spreadsheets write in files separated by semicolons."""
    return cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell


def _csv(text: str) -> Iterator[dict[str, Any]]:
    sign = text_file.separator(text)
    if sign is None:
        raise InvalidImport(
            "It is a table with an ambiguous separator. Save it as CSV with commas."
        )
    check_values(text.count(sign))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    try:
        columns = [name.strip() for name in next(rows, [])]
        for row in rows:
            if any(cell.strip() for cell in row):
                cells = map(_decimal_point, row) if sign == ";" else row
                yield dict(zip(columns, cells, strict=False))
    except csv.Error:
        raise InvalidImport("It is neither JSON nor a CSV file that can be read.") from None
