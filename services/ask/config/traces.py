"""A trace: when real requests arrived and how long they were. What is replayed of it, and how."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from math import inf
from operator import attrgetter
from typing import Annotated, NamedTuple, Self

from pydantic import FailFast, Field, model_validator

from services.ask.about import About, field
from services.ask.base_config import BaseConfig

MAX_ROWS = 25_000
MAX_BLOCKS = 1_000_000  # of all rows together
BLOCK_TOKENS = 512  # in one of Mooncake's blocks
LONGEST_TOKENS = 131_072

Length = Annotated[int, Field(ge=1, le=LONGEST_TOKENS)]


class TraceRow(NamedTuple):
    """One request of a trace: its time in seconds since the first request, the tokens of its prompt
    and of its answer, and the ids of its prompt's blocks of 512 tokens, if known. Prompts that
    begin with the same ids begin with the same text."""

    at_s: Annotated[float, Field(ge=0, le=1e9)]
    input_tokens: Length
    output_tokens: Length
    blocks: tuple[int, ...] = ()


class TraceFields(BaseConfig):
    """The trace, and which part of it to replay."""

    trace: Annotated[tuple[TraceRow, ...], FailFast()] = field(
        (),
        About(
            "Trace",
            "Trace: rows of time in seconds, prompt tokens, output tokens and the ids of the "
            "prompt's blocks of 512 tokens. If only rows are given, they are replayed at their "
            "own times",
            section="mode",
            read_by=("replay", "trace"),
            bulky=True,
        ),
        max_length=MAX_ROWS,
    )
    trace_speed: float = field(
        1.0,
        About(
            "Trace speed",
            "Trace replay: speed relative to the recording",
            section="mode",
            step=0.5,
            read_by=("replay",),
            varied=True,
        ),
        ge=0.01,
        le=100,
    )
    trace_from_s: float = field(
        0.0,
        About(
            "Trace from",
            "Trace: start of the part to replay, in seconds of the recording",
            section="mode",
            unit="s",
            step=60.0,
            read_by=("replay", "trace"),
        ),
        ge=0,
        le=1e9,
    )
    trace_to_s: float | None = field(
        None,
        About(
            "Trace to",
            "Trace: end of the part to replay, in seconds of the recording; empty: its end",
            section="mode",
            unit="s",
            step=60.0,
            empty="its end",
            read_by=("replay", "trace"),
        ),
        gt=0,
        le=1e9,
    )

    @property
    def replayed(self) -> range:
        """The indices of the rows of the trace that are replayed."""
        return self.rows_between(
            self.trace_from_s, inf if self.trace_to_s is None else self.trace_to_s
        )

    def rows_between(self, from_s: float, to_s: float) -> range:
        """Return the indices of the rows of the trace from one time (included) to another
        (excluded), in seconds."""
        at = attrgetter("at_s")
        return range(*(bisect_left(self.trace, moment, key=at) for moment in (from_s, to_s)))

    def row(self, index: int) -> TraceRow:
        """Return the row that request `index` replays; after the last row, the first follows
        again."""
        rows = self.replayed
        return self.trace[rows[index % len(rows)]]

    @model_validator(mode="after")
    def _check_trace(self) -> Self:
        if any(later.at_s < earlier.at_s for earlier, later in pairwise(self.trace)):
            raise ValueError("trace: is not in order. Sort its rows by time.")
        if sum(len(row.blocks) for row in self.trace) > MAX_BLOCKS:
            raise ValueError(f"trace: has more than {MAX_BLOCKS:,} blocks. Take a part of it.")
        if len({bool(row.blocks) for row in self.trace}) > 1:
            raise ValueError("trace: has blocks for some prompts only. Give them for all or none.")
        known = [row for row in self.trace if row.blocks]
        if any(len(row.blocks) * BLOCK_TOKENS < row.input_tokens for row in known):
            raise ValueError(
                f"trace: has a prompt that is longer than its blocks of {BLOCK_TOKENS} tokens. "
                "Give all of its ids, or none."
            )
        return self
