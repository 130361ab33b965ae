"""Throughput and latency against load, as the probes of a search measured them: where throughput
stops rising, and why.

While a server is not busy, each further request per second, or user, adds as much throughput as the
first did; once it is saturated, more load adds nothing. The knee is where those two lines meet (the
asymptotic bounds of Lazowska et al. 1984, Quantitative System Performance, ch. 5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from services.analysis.capacity.point import LoadPoint
from services.base.units import count, many, share, significant
from services.studies.capacity import Capacity
from services.studies.capacity_config import CapacityConfig
from services.studies.capacity_probe import Probe
from services.studies.capacity_wording import load_text, with_unit
from services.studies.usl import Fit, fit

FOLLOWS = 0.9  # of the throughput in proportion to the first load: below it, throughput lags
FULL = 0.95  # of the KV cache
FALLS = 0.9  # of the maximum throughput
FITS = 0.2  # the largest error of a fitted law that is worth reporting
MIN_FIT = 0.75  # requests in flight: the law does not apply to fewer


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A probe with its measured metrics."""

    probe: Probe
    point: LoadPoint

    @property
    def load(self) -> float:
        return self.probe.load


@dataclass(frozen=True, slots=True)
class Knee:
    """Where throughput stops rising. `load`: in requests per second or users. `most_per_s`:
    requests completed per second beyond it. `fit`: the Universal Scalability Law over requests in
    flight."""

    load: float
    most_per_s: float
    fit: Fit | None


def operating_points(capacity: Capacity, server: int) -> list[OperatingPoint]:
    """Return the valid probes of a server with their metrics, the lowest load first."""
    found = [
        OperatingPoint(probe, probe.point)
        for probe in capacity.valid_probes(server)
        if probe.point is not None
    ]
    return sorted(found, key=lambda probed: probed.load)


def knee(points: Sequence[OperatingPoint], users: bool) -> Knee | None:
    """Return where throughput stops rising with the load; None if it did not stop, or fewer than
    two loads were measured. `points`: in the order of their load, in users or in requests/s."""
    if len(points) < 2 or not points[0].point.requests_per_s:
        return None
    each = points[0].point.requests_per_s / points[0].load if users else 1.0
    lagging = [probed for probed in points if _lags(probed, each, users)]
    if not lagging:
        return None
    most = max(probed.point.requests_per_s for probed in points)
    level = [r for probed in lagging if (r := probed.point.requests_per_s) >= FALLS * most]
    plateau = fmean(level) if level else most
    return Knee(plateau / each, plateau, _law(points))


def _lags(probed: OperatingPoint, each: float, users: bool) -> bool:
    """Whether a server completes less than its load asks for. In a short window fewer requests than
    the rate may arrive by chance: then its queue does not grow, and those that arrived are
    answered."""
    if probed.point.requests_per_s >= FOLLOWS * each * probed.load:
        return False
    seen = probed.probe.observation
    if users or seen is None:
        return users
    return seen.growing or seen.served < FOLLOWS * seen.misses[0].n


def _law(points: Sequence[OperatingPoint]) -> Fit | None:
    throughputs: dict[int, list[float]] = defaultdict(list)
    for probed in points:
        flying = probed.point.in_flight
        if flying is not None and flying >= MIN_FIT and probed.point.requests_per_s:
            throughputs[max(1, round(flying))].append(probed.point.requests_per_s)
    return fit(throughputs) if len(throughputs) > 2 else None


def curve_sentences(capacity: Capacity, server: int) -> list[str]:
    """Return sentences on where a server's throughput stops rising and what shows why; [] if that
    is unknown, for example with a single load."""
    points = operating_points(capacity, server)
    if len({probed.load for probed in points}) < 2 or not points[0].point.requests_per_s:
        return []
    found = knee(points, capacity.config.load == "users")
    if found is None:
        top = with_unit(points[-1].load, capacity.config)
        return [f"Throughput rises with the load up to {top}, the highest that was measured."]
    parts = [tell(points, found, capacity.config) for tell in TELLS]
    return [text for text in parts if text]


Tell = Callable[[Sequence[OperatingPoint], Knee, CapacityConfig], str]


def _throughput_limit(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    most = significant(found.most_per_s)
    if config.load == "users":
        return (
            f"Throughput rises up to about {with_unit(max(1.0, found.load), config)}, then stays "
            f"at {most} requests/s: additional users only wait for each other."
        )
    return f"Throughput stops rising at about {most} requests/s, however high the load."


def _queue_growth(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    top = points[-1]
    seen = top.probe.observation
    if config.load == "users" or seen is None or not seen.growing:
        return ""
    growth = significant(top.load - seen.served_per_s)
    return (
        f"At {with_unit(top.load, config)} the queue grows by {growth} requests per second, so "
        "answers arrive later and later."
    )


def _overload_loss(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    top = points[-1]
    if top.point.requests_per_s >= FALLS * found.most_per_s:
        return ""
    return (
        f"Overload costs throughput: at {with_unit(top.load, config)} only "
        f"{significant(top.point.requests_per_s)} requests/s are completed."
    )


def _cache_use(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    known = [probed for probed in points if probed.point.kv_cache_share is not None]
    if not known:
        return ""
    full = next((probed for probed in known if (probed.point.kv_cache_share or 0.0) >= FULL), None)
    if full is None:
        most = max(probed.point.kv_cache_share or 0.0 for probed in known)
        return f"The KV cache is not the cause: at most {share(most)} of it was in use."
    return (
        f"From {with_unit(full.load, config)} on, the KV cache is nearly full "
        f"({share(full.point.kv_cache_share or 0.0)}): additional requests wait for memory."
    )


def _preemptions(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    first = next((probed for probed in points if probed.point.preemptions), None)
    if first is None:
        return ""
    worst = max(points, key=lambda probed: probed.point.preemptions or 0.0)
    times = count(worst.point.preemptions or 0.0)
    return (
        f"From {with_unit(first.load, config)} on, the engine preempts requests and recomputes "
        f"them ({times} times at {load_text(worst.load, config)})."
    )


def _waiting(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    top = max(points, key=lambda probed: probed.point.waiting or 0.0)
    if not top.point.waiting:
        return ""
    waited = many(round(top.point.waiting), "request")
    return f"Up to {waited} waited in the engine at {with_unit(top.load, config)}."


def _scaling_law(points: Sequence[OperatingPoint], found: Knee, config: CapacityConfig) -> str:
    law = found.fit
    if law is None or law.max_relative_error > FITS:
        return ""
    text = "By the Universal Scalability Law over requests in flight, contention σ is "
    text += share(law.sigma)
    if law.peak is not None and law.kappa is not None:
        text += f" and coherency κ is {significant(law.kappa, 2)}"
    if law.peak is not None and _overload_loss(points, found, config):
        return f"{text}; throughput peaks at {many(round(law.peak), 'request')} in flight."
    times = law.limit or (law.at(law.peak) / law.unit if law.peak else None)
    if times is None or not law.reaches_limit or law.sizes[0] > 1:
        return f"{text}."
    most = f"at most {significant(times)} times the throughput of one request at a time"
    return f"{text}: {most}, extrapolated."


TELLS: tuple[Tell, ...] = (
    _throughput_limit,
    _queue_growth,
    _overload_loss,
    _cache_use,
    _preemptions,
    _waiting,
    _scaling_law,
)
