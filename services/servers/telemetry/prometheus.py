"""Prometheus' text format, as far as gauges and counters need it.

See https://prometheus.io/docs/instrumenting/exposition_formats/. `prometheus-client` would read
it too, but all of it: nine lines in ten of an engine's page are histograms that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from itertools import islice
from typing import NamedTuple

from services.base.untrusted import number

LINES = 100_000  # of a page, that are looked at: of usual length more than its bytes allow
WANTED_LINES = 10_000  # of those, with a name that is wanted: 64 replicas of 100 models
LINE_CHARACTERS = 16_384  # vLLM writes its cache's whole configuration as labels: about 1,500
# Matched at one place after another, and with one way to read each character: time is in
# proportion to the line.
_LABEL = re.compile(r'[ \t]*([a-zA-Z_]\w*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*,?', re.ASCII)


class Metric(NamedTuple):
    """One line: a name, its labels, its value."""

    name: str
    labels: dict[str, str]
    value: float


def metrics(text: str, wanted: Container[str]) -> Iterator[Metric]:
    """Yield the lines of the names wanted, WANTED_LINES of them at most; not what is broken, longer
    than LINE_CHARACTERS, infinite, or no number.

    A name may be written with `_` for `:`, as some servers and every router do: it is wanted, and
    told, with `_`. Labels and values are as the server wrote them.
    """
    whole = text.split("\n", LINES)[:LINES]
    lines = (line for line in whole if len(line) <= LINE_CHARACTERS)
    named = ((line[:end].replace(":", "_"), line[end:]) for line in lines if (end := _end(line)))
    for name, rest in islice((each for each in named if each[0] in wanted), WANTED_LINES):
        if metric := _read(name, rest.strip()):
            yield metric


def _end(line: str) -> int:
    """Where the name of a line ends; 0: it has none."""
    ends = [at for mark in "{ \t" if (at := line.find(mark)) >= 0]
    return min(ends, default=0)


def _read(name: str, rest: str) -> Metric | None:
    labels: dict[str, str] = {}
    if rest.startswith("{"):
        at = 1
        while label := _LABEL.match(rest, at):
            labels[label[1]], at = label[2], label.end()
        rest = rest[at:].lstrip()
        if not rest.startswith("}"):
            return None
        rest = rest[1:]
    words = rest.split(maxsplit=2)  # a value, and perhaps the time that it is of
    value = number(words[0]) if 1 <= len(words) <= 2 else None
    return None if value is None else Metric(name, labels, value)
