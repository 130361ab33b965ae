"""A run read from another tool's file, with the numbers that the tool states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from services.ask.config import MAX_IN_FLIGHT, MAX_REPEATS, MOST, RunConfig
from services.ask.measurement import IMPORT, Measurement, Repeat, RunStatus, Sample
from services.base.errors import Invalid
from services.base.units import many
from services.report.imports import fields
from services.report.imports.tracked import LONGEST, Tracked
from services.report.imports.tracked import MOST as MAX_UNREAD

MAX_REQUESTS = 200_000
LONGEST_MODEL, BRIEF = 300, 40
# Of a tool's standard deviation.
SPREAD = "Of the same values as the mean. The tool divides by n, Paceline by n − 1."


class InvalidImport(Invalid):
    """A file that cannot be imported: why not, and what to do."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One run of a file.

    `measurements` are empty if the file holds only a summary. `source` has `tool` and `version`;
    `stated`, numbers under the names of `summary_row` in SI units, with the tool's definition of
    each in `definitions`; `facts`; `known`, the config fields that the file states; `placed`,
    whether it states when each request was sent; and `unread`, the names of everything else in the
    file. `read` adds `file`, `sha256` and `bytes`.
    """

    config: RunConfig
    name: str
    started_at: datetime | None
    measurements: tuple[Measurement, ...]
    source: dict[str, Any]
    repeats: tuple[Repeat, ...] = ()
    status: RunStatus = "done"
    environment: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    note: str = ""
    calibration: dict[str, Any] | None = None  # only of runs exported by Paceline
    samples: tuple[Sample, ...] = ()  # likewise, as are the following
    ended_at: datetime | None = None
    error: str | None = None
    token_times_removed_at: datetime | None = None


class StatedMetric(NamedTuple):
    """A number that a tool reports: Paceline's name, its key in the file, its scale to SI units,
    and the tool's definition."""

    name: str
    key: str
    scale: float
    definition: str


@dataclass(frozen=True, slots=True)
class Load:
    """The load that a tool offered, if its file states it; a `rate` of inf: all at once."""

    requests: int | None = None  # of a repeat
    rate: float | None = None  # requests per second
    concurrency: int | None = None
    max_tokens: int | None = None
    repeats: int = 1

    def config(self, model: str) -> tuple[RunConfig, list[str]]:
        """Return the closest run config, and the names of the fields that the file states."""
        values: dict[str, Any] = {**({"model": model} if model else {}), **self._mode()}
        if self.requests and self.requests <= MOST:  # a config with more is not valid
            values["requests"] = self.requests
        if self.max_tokens and self.max_tokens <= 131_072:
            values["max_tokens"] = self.max_tokens
        if self.repeats > 1:
            values["repeats"] = self.repeats
        fixed = {"backend": IMPORT, "warmup": 0, "unique_prompts": False}
        return RunConfig(**{"mode": "batch", **fixed, **values}), ["backend", *values]

    def _mode(self) -> dict[str, Any]:
        if self.concurrency == 1:
            return {"mode": "sequential", "pause_s": 0.0}
        if self.rate and isfinite(self.rate) and self.rate >= 1 / 3600:
            return {"mode": "staggered", "interval_s": 1 / self.rate}
        if self.concurrency or self.rate:
            most = min(self.concurrency, MAX_IN_FLIGHT) if self.concurrency else None
            return {"mode": "batch", "concurrency": most}
        return {}


def imported(
    tool: str,
    load: Load,
    *,
    model: Any = "",
    version: Any = "",
    started_at: datetime | None = None,
    measurements: Sequence[Measurement] = (),
    placed: bool = True,
    duration_s: float | None = None,
    stated: tuple[dict[str, float], dict[str, str]] = ({}, {}),
    facts: Mapping[str, Any] | None = None,
    of: Mapping[str, Any] | None = None,
    label: str = "",
) -> Imported:
    """Build a run. `stated` is what `read_stated` returns; `facts` are kept unchanged. `of` is the
    object that was read; its unread names are listed in the source. `label` distinguishes the runs
    of one file.

    Raises:
        InvalidImport: the file holds neither requests nor results, too many requests, or two with
            the same index.
    """
    _check(measurements)
    if not measurements and not stated[0]:
        raise InvalidImport(f"It is a file of {tool}, but contains no requests and no results.")
    named = fields.line(model, LONGEST_MODEL)
    requests = len(measurements) or load.requests
    config, known_fields = _observed(load, measurements).config(named)
    return Imported(
        config,
        _name(tool, config, known_fields, requests, label),
        started_at,
        tuple(map(_without_impossible_times, measurements)),
        {
            "tool": tool,
            "version": fields.line(version, 40),
            "stated": stated[0],
            "definitions": stated[1],
            "facts": dict(facts or {}),
            "known": known_fields,
            "placed": placed,
            "unread": _unread(of),
        },
        (Repeat(0, started_at, duration_s),) if measurements and started_at else (),
    )


def _observed(load: Load, measurements: Sequence[Measurement]) -> Load:
    """Return the load with the number of requests and repeats in the file, if it lists any."""
    if not measurements:
        return load
    largest = max(Counter(m.repeat for m in measurements).values())
    return replace(load, requests=largest, repeats=1 + max(m.repeat for m in measurements))


def _unread(of: Mapping[str, Any] | None) -> list[str]:
    names = of.unread() if isinstance(of, Tracked) else []
    return [name for each in names[:MAX_UNREAD] if (name := fields.line(each, LONGEST))]


def _check(measurements: Sequence[Measurement]) -> None:
    if len(measurements) > MAX_REQUESTS:
        raise InvalidImport(
            f"It contains {len(measurements):,} requests. Paceline reads up to {MAX_REQUESTS:,}."
        )
    if any(m.repeat >= MAX_REPEATS for m in measurements):
        raise InvalidImport(f"It contains requests of more than {MAX_REPEATS} repeats.")
    if len({(m.repeat, m.index) for m in measurements}) < len(measurements):
        raise InvalidImport("Two of its requests have the same repeat and index.")


def _without_impossible_times(m: Measurement) -> Measurement:
    """Drop impossible times: before the request was sent, or after its last token."""
    if m.t_send is None:
        return replace(m, t_first=None, t_answer=None, t_last=None, t_end=None, token_times=())
    t_send = m.t_send

    def possible(t: float | None, latest: float | None = None) -> float | None:
        if t is None or t < t_send or (latest is not None and t > latest):
            return None
        return t

    t_last = possible(m.t_last)
    times = m.token_times
    if times and min(times[0], times[-1]) < t_send:
        times = tuple(t for t in times if t >= t_send)
    return replace(
        m,
        t_first=possible(m.t_first, t_last),
        t_answer=possible(m.t_answer, t_last),
        t_last=t_last,
        t_end=possible(m.t_end),
        token_times=times,
    )


def distributions(
    statistics: Mapping[str, str],
    *entries: StatedMetric,
    sd: str = "",
    notes: Mapping[str, str] | None = None,
) -> Iterator[StatedMetric]:
    """Yield an entry for each statistic of each distribution. {} in a key stands for the tool's
    name of the statistic; `sd` is the definition of the standard deviation, if it differs from the
    rest; `notes` are added to the definitions of single statistics."""
    for name, key, scale, definition in entries:
        for statistic, theirs in statistics.items():
            note = (notes or {}).get(statistic, "")
            meaning = sd if sd and statistic == "sd" else f"{definition}{note}"
            yield StatedMetric(f"{name}_{statistic}", key.format(theirs), scale, meaning)


def read_stated(
    values: Iterable[tuple[StatedMetric, Any]],
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numbers that the file contains, in SI units, and their definitions, by Paceline's
    names."""
    numbers: dict[str, float] = {}
    definitions: dict[str, str] = {}
    for entry, value in values:
        if (known := fields.number(value, entry.scale)) is not None:
            numbers[entry.name], definitions[entry.name] = known, entry.definition
    return numbers, definitions


def _name(
    tool: str, config: RunConfig, known: Sequence[str], requests: int | None, label: str
) -> str:
    brief = config.model.rstrip("/").rpartition("/")[2] or tool
    brief = brief if len(brief) <= BRIEF else f"{brief[: BRIEF - 1]}…"
    mode = [config.mode] if "mode" in known else []
    count = many(requests, "request") if requests else ""
    return " · ".join(filter(None, [brief, fields.line(label, BRIEF), *mode, count]))
