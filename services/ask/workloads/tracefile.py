"""Published trace formats: Mooncake's, BurstGPT's and Azure's.

Mooncake: JSON lines of `timestamp` in ms, `input_length`, `output_length` and `hash_ids`, one for
each block of 512 tokens (Qin et al., Mooncake, FAST 2025). BurstGPT: CSV of `Timestamp` in seconds,
`Request tokens`, `Response tokens` (Wang et al., BurstGPT, 2024). Azure: CSV of `TIMESTAMP` as a
date, `ContextTokens`, `GeneratedTokens` (AzurePublicDataset, 2023 and 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from typing import Any

from services.ask.config.traces import (
    BLOCK_TOKENS,
    LONGEST_TOKENS,
    MAX_BLOCKS,
    MAX_ROWS,
    TraceRow,
)
from services.ask.workloads.lines import (
    InvalidFile,
    check_size,
    csv_rows,
    decoded,
    delimiter_of,
    json_lines,
    problem,
    shown_name,
    whole_json,
)
from services.base.units import many


@dataclass(frozen=True, slots=True)
class TraceFile:
    """The rows of a file in time order, the name of its format, and sentences about what was left
    out or changed."""

    rows: tuple[TraceRow, ...]
    format: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """The names of the four values in a row of a format, and how its time is parsed."""

    label: str
    at: str
    input_tokens: str
    output_tokens: str
    seconds: Callable[[Any], float]
    blocks: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a row must have."""
        return self.at, self.input_tokens, self.output_tokens


def read_trace(data: bytes, filename: str) -> TraceFile:
    """Read a trace in one of FORMATS, which is recognized by its names.

    Raises:
        InvalidFile: the message names the file and the line, and says what to do.
    """
    name = shown_name(filename)
    check_size(data, name)
    notes: list[str] = []
    text = decoded(data, name, notes)
    rows: list[TraceRow] = []
    label, unanswered = "", 0
    for location, values in _values(text, name):
        format_ = _format(values, name, location)
        label = format_.label
        row = _row(format_, values, name, location)
        unanswered += row is None
        rows += [] if row is None else [row]
        if len(rows) > MAX_ROWS:
            raise InvalidFile(
                f"{name} has more than {MAX_ROWS:,} requests. Take a part of it, for example its "
                f"first {MAX_ROWS:,} lines."
            )
    if not rows:
        raise InvalidFile(f"{name} contains no requests. Add at least one.")
    if unanswered:
        lacking = many(unanswered, "request")
        notes.append(f"Left out: {lacking} without prompt or output tokens.")
    if any(later.at_s < earlier.at_s for earlier, later in pairwise(rows)):
        notes.append("The requests were sorted by time.")
    return TraceFile(tuple(_from_zero(rows, name)), label, tuple(notes))


def _from_zero(rows: list[TraceRow], name: str) -> Iterator[TraceRow]:
    if sum(len(row.blocks) for row in rows) > MAX_BLOCKS:
        raise InvalidFile(f"{name} has more than {MAX_BLOCKS:,} blocks. Take a part of it.")
    ordered = sorted(rows, key=lambda row: row.at_s)
    first = ordered[0].at_s
    for row in ordered:
        yield row._replace(at_s=round(row.at_s - first, 6))


def _values(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (location, values by lower-case name) of JSON or of a table."""
    if text.lstrip()[:1] in ("{", "["):
        for location, value in _objects(text, name):
            if not isinstance(value, dict):
                raise problem(name, location, f"is not an object. {_EXPECTED}")
            yield location, {str(key).lower(): each for key, each in value.items()}
        return
    columns = [title for format_ in FORMATS for title in format_.names]
    rows = csv_rows(text, name, delimiter_of(text, name, columns))
    _, header = next(rows, (1, []))
    titles = [title.strip().lower() for title in header]
    if titles and _format_of(titles) is None:
        raise problem(name, "line 1", f"names no columns of a known trace format. {_EXPECTED}")
    for line, row in rows:
        if len(row) != len(titles):
            why = f"has {len(row)} fields but the first row names {len(titles)}"
            raise problem(name, f"line {line:,}", f"{why}. Correct the line, or remove it.")
        yield f"line {line:,}", dict(zip(titles, row, strict=True))


def _objects(text: str, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (location, value) of JSON lines, or of a single list."""
    if isinstance(whole := whole_json(text), list):
        return ((f"entry {number:,}", value) for number, value in enumerate(whole, 1))
    return json_lines(text, name, "Each line must be one request.")


def is_trace(names: Collection[str]) -> bool:
    """Whether these lower-case names are those of a trace's rows."""
    return _format_of(names) is not None


def _format_of(names: Collection[str]) -> Format | None:
    having = (each for each in FORMATS if all(name in names for name in each.names))
    return next(having, None)


def _format(values: Mapping[str, Any], name: str, location: str) -> Format:
    if (format_ := _format_of(values)) is not None:
        return format_
    raise problem(name, location, f"is not a row of a known trace format. {_EXPECTED}")


def _row(format_: Format, values: Mapping[str, Any], name: str, location: str) -> TraceRow | None:
    """Return the request of a line; None for one without tokens, such as a failed request."""
    try:
        at_s = format_.seconds(values[format_.at])
        lengths = [_count(values[each]) for each in format_.names[1:]]
        given = values.get(format_.blocks) if format_.blocks else None
        blocks = _blocks(given, lengths[0])
    except ValueError as error:
        raise problem(name, location, f"{error}. Correct the line, or remove it.") from None
    if 0 in lengths:
        return None
    return TraceRow(at_s, lengths[0], lengths[1], blocks)


def _count(value: Any) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"has “{str(value)[:40]}” instead of a number of tokens") from None
    if not 0 <= number <= LONGEST_TOKENS or number != int(number):
        raise ValueError(
            f"has “{str(value)[:40]}” tokens, which is not a whole number up to {LONGEST_TOKENS:,}"
        )
    return int(number)


def _blocks(value: Any, input_tokens: int) -> tuple[int, ...]:
    if value is None or value == []:
        return ()
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise ValueError("has hash_ids that are not a list of whole numbers")
    if len(value) * BLOCK_TOKENS < input_tokens:
        raise ValueError(
            f"has {len(value):,} hash_ids, which are too few for {input_tokens:,} tokens in blocks "
            f"of {BLOCK_TOKENS}"
        )
    return tuple(value)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"has “{str(value)[:40]}” instead of a time") from None
    if not isfinite(number):
        raise ValueError("has a time that is not finite")
    return number


def _milliseconds(value: Any) -> float:
    return _number(value) / 1000


def _date(value: Any) -> float:
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"has “{str(value)[:40]}” instead of a date and a time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_EXPECTED = (
    "Give a trace of Mooncake (timestamp, input_length, output_length), BurstGPT (Timestamp, "
    "Request tokens, Response tokens) or Azure (TIMESTAMP, ContextTokens, GeneratedTokens)."
)
FORMATS = (  # names in lower case
    Format("Mooncake", "timestamp", "input_length", "output_length", _milliseconds, "hash_ids"),
    Format("BurstGPT", "timestamp", "request tokens", "response tokens", _number),
    Format("Azure", "timestamp", "contexttokens", "generatedtokens", _date),
)
ENDINGS = ("jsonl", "csv", "ndjson", "json", "tsv")
