"""How an engine is parallelized over devices, and its text form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from pydantic import Field

from services.ask.problems import InvalidConfig
from services.servers.engines.config import MAX_RANKS

Rank = Annotated[int, Field(ge=1, le=MAX_RANKS)]


class Parallel(NamedTuple):
    """Sizes of tensor, pipeline and data parallelism."""

    tp: Rank = 1
    pp: Rank = 1
    dp: Rank = 1


def parse_parallel(text: str) -> tuple[Parallel, ...]:
    """Parse "TP=4 PP=2 DP=1; TP=2" or, shorter, "4x2x1, 2".

    Raises:
        InvalidConfig: a part has neither form.
    """
    parts = [part.strip() for part in re.split(r"[;,\n]", text) if part.strip()]
    return tuple(map(_parallel, parts))


def format_parallel(values: Iterable[Parallel]) -> str:
    """Return the text that `parse_parallel` parses."""
    return "; ".join(f"TP={sizes.tp} PP={sizes.pp} DP={sizes.dp}" for sizes in values)


def _parallel(text: str) -> Parallel:
    named = re.fullmatch(r"((tp|pp|dp)\s*=?\s*\d{1,3}[\s·]*)+", text, re.IGNORECASE)
    short = re.fullmatch(r"\d{1,3}(\s*[x×]\s*\d{1,3}){0,2}", text, re.IGNORECASE)
    if named:
        pairs = re.findall(r"(tp|pp|dp)\s*=?\s*(\d+)", text, re.IGNORECASE)
        sizes = {name.lower(): int(size) for name, size in pairs}
        if len(sizes) == len(pairs) and all(1 <= size <= MAX_RANKS for size in sizes.values()):
            return Parallel(**sizes)
    elif short:
        each = [int(size) for size in re.findall(r"\d+", text)]
        if all(1 <= size <= MAX_RANKS for size in each):
            return Parallel(*each)
    raise InvalidConfig(
        {
            "parallel": f"parallel is not valid: {text[:40]!r}. Write TP=4 PP=2 DP=1, each from 1 "
            f"to {MAX_RANKS}, separated by ;."
        }
    )
