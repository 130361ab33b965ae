"""How an engine is spread over devices, and how people write that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from pydantic import Field

from services.ask.problems import InvalidConfig
from services.servers.engines.config import MOST_RANKS

Rank = Annotated[int, Field(ge=1, le=MOST_RANKS)]


class Parallel(NamedTuple):
    """How an engine is spread: tensor, pipeline and data parallel."""

    tp: Rank = 1
    pp: Rank = 1
    dp: Rank = 1


def read_parallel(text: str) -> tuple[Parallel, ...]:
    """Return what is written as "TP=4 PP=2 DP=1; TP=2" or, shorter, "4x2x1, 2".

    Raises:
        InvalidConfig: a part is none of these.
    """
    parts = [part.strip() for part in re.split(r"[;,\n]", text) if part.strip()]
    return tuple(map(_parallel, parts))


def write_parallel(values: Iterable[Parallel]) -> str:
    """Return the text that `read_parallel` reads, as a person writes it."""
    return "; ".join(f"TP={one.tp} PP={one.pp} DP={one.dp}" for one in values)


def _parallel(text: str) -> Parallel:
    named = re.fullmatch(r"((tp|pp|dp)\s*=?\s*\d{1,3}[\s·]*)+", text, re.IGNORECASE)
    short = re.fullmatch(r"\d{1,3}(\s*[x×]\s*\d{1,3}){0,2}", text, re.IGNORECASE)
    if named:
        found = re.findall(r"(tp|pp|dp)\s*=?\s*(\d+)", text, re.IGNORECASE)
        sizes = {name.lower(): int(size) for name, size in found}
        if len(sizes) == len(found) and all(1 <= size <= MOST_RANKS for size in sizes.values()):
            return Parallel(**sizes)
    elif short:
        each = [int(size) for size in re.findall(r"\d+", text)]
        if all(1 <= size <= MOST_RANKS for size in each):
            return Parallel(*each)
    raise InvalidConfig(
        {
            "parallel": f"parallel is not valid: {text[:40]!r}. Write TP=4 PP=2 DP=1, each from 1 "
            f"to {MOST_RANKS}, separated by ;."
        }
    )
