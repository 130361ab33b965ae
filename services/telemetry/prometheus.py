"""Prometheus' text format, as far as gauges and counters need it.

See https://prometheus.io/docs/instrumenting/exposition_formats/. `prometheus-client` would read
it too, but all of it: nine lines in ten of an engine's page are histograms that nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from math import isfinite
from typing import NamedTuple

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*", re.ASCII)
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"', re.ASCII)


class Metric(NamedTuple):
    """One line: a name, its labels, its value."""

    name: str
    labels: dict[str, str]
    value: float


def metrics(text: str, wanted: Container[str]) -> Iterator[Metric]:
    """Yield the lines of the names wanted; not what is broken, infinite, or no number.

    A name may be written with `_` for `:`, as some servers and every router do: it is wanted, and
    told, with `_`.
    """
    for line in text.splitlines():
        name = line[: _end_of_name(line)].replace(":", "_")
        if name not in wanted or not (match := _LINE.fullmatch(line)):
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        if isfinite(value):
            yield Metric(name, dict(_LABEL.findall(match[2] or "")), value)


def _end_of_name(line: str) -> int:
    ends = [at for mark in "{ \t" if (at := line.find(mark)) >= 0]
    return min(ends, default=0)
