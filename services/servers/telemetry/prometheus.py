"""Parses gauges and counters of Prometheus' text format.

See https://prometheus.io/docs/instrumenting/exposition_formats/. `prometheus-client` would parse
every line, but nine in ten are histograms that nobody needs.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import islice
from typing import NamedTuple

from services.base.untrusted import number

LINES = 100_000  # most lines of a page
WANTED_LINES = 10_000  # most lines with a wanted name: 64 replicas of 100 models
LINE_CHARACTERS = 16_384  # vLLM writes its cache's whole configuration as labels: about 1,500
# Each character can match in only one way, so that time is linear in the length of the line.
_LABEL = re.compile(r'[ \t]*([a-zA-Z_]\w*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*,?', re.ASCII)


class Metric(NamedTuple):
    """One line: a name, its labels, its value."""

    name: str
    labels: dict[str, str]
    value: float


def metrics(text: str, wanted: Container[str]) -> Iterator[Metric]:
    """Yield the lines with wanted names, at most WANTED_LINES. Lines that are broken or longer than
    LINE_CHARACTERS are skipped, as are values that are infinite or no number.

    Names are wanted and yielded with `_` for `:`, as some servers and all routers write them.
    Labels and values are as the server wrote them.
    """
    whole = text.split("\n", LINES)[:LINES]
    lines = (line for line in whole if len(line) <= LINE_CHARACTERS)
    named = (
        (line[:end].replace(":", "_"), line[end:]) for line in lines if (end := _name_length(line))
    )
    for name, rest in islice((each for each in named if each[0] in wanted), WANTED_LINES):
        if metric := _parse(name, rest.strip()):
            yield metric


def _name_length(line: str) -> int:
    """The length of the name at the start of a line; 0 if there is none."""
    ends = [at for mark in "{ \t" if (at := line.find(mark)) >= 0]
    return min(ends, default=0)


def _parse(name: str, rest: str) -> Metric | None:
    labels: dict[str, str] = {}
    if rest.startswith("{"):
        at = 1
        while label := _LABEL.match(rest, at):
            labels[label[1]], at = label[2], label.end()
        rest = rest[at:].lstrip()
        if not rest.startswith("}"):
            return None
        rest = rest[1:]
    fields = rest.split(maxsplit=2)  # a value, and possibly a timestamp
    value = number(fields[0]) if 1 <= len(fields) <= 2 else None
    return None if value is None else Metric(name, labels, value)
