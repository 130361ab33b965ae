"""Numbers in Prometheus' text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A Prometheus gauge, with one value or a value for each set of labels. Values of None are
    unknown and left out."""

    name: str
    help: str
    values: Mapping[Labels, float | None]


def gauge(name: str, help: str, value: float | None) -> Gauge:
    """Return a gauge with one value."""
    return Gauge(name, help, {(): value})


def by_label(name: str, help: str, label: str, values: Mapping[str, float]) -> Gauge:
    """Return a gauge with a value for each value of a label."""
    return Gauge(name, help, {((label, text),): value for text, value in values.items()})


def exposition(gauges: Iterable[Gauge]) -> str:
    """Return the text of all gauges that have a value."""
    return "".join(map(_family, gauges))


def _family(each: Gauge) -> str:
    known = {labels: value for labels, value in each.values.items() if value is not None}
    if not known:
        return ""
    head = f"# HELP {each.name} {_escaped(each.help)}\n# TYPE {each.name} gauge\n"
    return head + "".join(
        f"{each.name}{_labels(labels)} {_number(value)}\n" for labels, value in known.items()
    )


def _labels(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_escaped(text, quoted=True)}"' for name, text in labels)
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str, quoted: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quoted else text


def _number(value: float) -> str:
    return repr(float(value)) if value != int(value) else str(int(value))
