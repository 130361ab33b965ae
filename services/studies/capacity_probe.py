"""A probe of a capacity search: the run that measures one load, and what its requests say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from services.analysis.capacity import Misses, Objective, Observation, Step, observe
from services.analysis.capacity.point import LoadPoint, load_point
from services.analysis.metric_arrays import known, latenesses
from services.ask.config import RunConfig
from services.ask.measurement import Measurement, Sample
from services.ask.modes import mean_turns
from services.base.units import seconds
from services.studies.capacity_config import CapacityConfig

SETTLES = 0.25  # of a window: the warm-up at load before it
DRAIN_S = 30.0  # at least; longer if the highest limit is
LATE = 0.05  # of the lowest limit: the client may be late by at most this. If 1 % of requests
# missed a p95 for that reason, 6 % would miss it instead of 5 %: a capacity about 1 % lower
LATE_S = 0.005
MAX_LATE = 0.01  # of the requests


@dataclass(frozen=True, slots=True)
class Probe:
    """One run of a search; `observation` is None until it has been measured, or if it never was."""

    server: int  # index in the config
    load: float
    window_s: float
    run_id: int
    observation: Observation | None = None
    point: LoadPoint | None = None  # also None if an earlier version measured it

    @property
    def step(self) -> Step:
        return Step(self.load, self.window_s)


def probe_config(capacity: CapacityConfig, server: int, step: Step, number: int) -> RunConfig:
    """Return the run of a probe: the server's config at a load, with its window and the warm-up at
    load before it. `number`: the probe's, from 0; each probe has different arrival times."""
    limits = [each.limit_s for each in capacity.parsed_objectives if each.limit_s is not None]
    run = capacity.servers[server]
    # A run's rate is of sessions, a search's load of requests, which are the turns of sessions.
    load: dict[str, Any] = {"mode": capacity.arrivals, "rate": step.load / mean_turns(run)}
    if capacity.load == "users":
        load = {"mode": "users", "users": round(step.load)}
    return run.model_copy(
        update={
            **load,
            "arrival_seed": number + 1,
            "duration_s": round(step.window_s * (1 + SETTLES), 3),
            "drain_s": max([DRAIN_S, *limits]),
            "load_warmup_s": 0.0,
            "concurrency": None,
            "retries": 0,
            "repeats": 1,
        }
    )


def first_probes(capacity: CapacityConfig) -> list[RunConfig]:
    """Return the run of the first probe of each server."""
    first = Step(capacity.lowest, capacity.window_s)
    return [probe_config(capacity, server, first, 0) for server in range(len(capacity.servers))]


def distinct_servers(configs: Sequence[RunConfig]) -> tuple[RunConfig, ...]:
    """Return the configs whose probes differ: runs that differ only in what a probe sets, such as
    their mode, or in their seed are one server."""
    probes = first_probes(CapacityConfig(servers=tuple(configs)))
    names = [name for name in RunConfig.model_fields if name != "seed"]
    used = [[getattr(probe, name) for name in names if probe.reads(name)] for probe in probes]
    return tuple(config for i, config in enumerate(configs) if used[i] not in used[:i])


def with_observation(
    config: CapacityConfig,
    probe: Probe,
    measurements: Sequence[Measurement],
    samples: Sequence[Sample] = (),
) -> Probe:
    """Return a probe with the observation of its requests and the metrics of its engine."""
    settle_s = SETTLES * probe.window_s
    observation = observe(
        probe.load,
        measurements,
        config.parsed_objectives,
        settle_s,
        probe.window_s,
        config.load == "rate",
        client_limited(config.parsed_objectives, measurements),
    )
    point = load_point(measurements, samples, settle_s, probe.window_s)
    return replace(probe, observation=observation, point=point)


def nothing_known(config: CapacityConfig, probe: Probe) -> str | None:
    """Return a sentence that explains why a probe gave no information; None if it did. That no
    request was sent matters only at the lowest load: at higher ones, answers that take longer than
    a window miss their objective anyway."""
    if probe.observation is None:
        return None
    if (objective := _unknown_objective(config, probe.observation)) is not None:
        metric = objective.label.partition(" ")[0]
        return (
            f"{metric} is unknown for too many answers of run {probe.run_id} to judge "
            f"{objective.label}: they were not streamed, have no text, or their tokens were not "
            "counted. Choose another objective, such as e2e:p95<2."
        )
    if probe.load > config.search.lowest:
        return None
    if any(misses.n for misses in probe.observation.misses):
        return None
    return (
        f"Run {probe.run_id}, at the lowest load, sent no request within its window of "
        f"{seconds(probe.window_s)}, so it shows nothing. Search with a longer window."
    )


def _unknown_objective(config: CapacityConfig, seen: Observation) -> Objective | None:
    """The first objective that answers of unknown metrics could decide on their own."""
    each = zip(config.parsed_objectives, seen.misses, seen.unknown, strict=True)
    return next(
        (objective for objective, misses, n in each if n > objective.allowed * misses.n), None
    )


def client_limited(objectives: Sequence[Objective], measurements: Sequence[Measurement]) -> bool:
    """Return whether the client failed to offer a load: more than 1 % of the requests, beyond
    chance, were sent later than LATE of the lowest limit, so the client would distort the
    result."""
    late = known(latenesses(measurements))
    limits = [each.limit_s for each in objectives if each.limit_s is not None]
    allowed_s = max(LATE_S, LATE * min(limits, default=1.0))
    usual = MAX_LATE * len(late)
    return float((late > allowed_s).sum()) > usual + 2 * math.sqrt(usual)


def to_dict(probe: Probe) -> dict[str, Any]:
    """Return a probe as JSON-ready data."""
    return {
        "server": probe.server,
        "load": probe.load,
        "window_s": probe.window_s,
        "run_id": probe.run_id,
        "observation": probe.observation and _observation_to_dict(probe.observation),
        "point": probe.point and asdict(probe.point),
    }


def _observation_to_dict(observation: Observation) -> dict[str, Any]:
    return {
        "load": observation.load,
        "misses": [[each.count, each.n, each.dispersion] for each in observation.misses],
        "served": observation.served,
        "window_s": observation.window_s,
        "served_dispersion": observation.served_dispersion,
        "growing": observation.growing,
        "limited": observation.limited,
        "reached": list(observation.reached),
        "typical_s": observation.typical_s and list(observation.typical_s),
        "unknown": list(observation.unknown),
    }


def from_dict(values: Mapping[str, Any]) -> Probe:
    """Return the probe from the output of `to_dict`."""
    observation, point = values["observation"], values.get("point")
    parts = {
        "observation": observation and _observation_from_dict(observation),
        "point": point and LoadPoint(**point),
    }
    return Probe(**{**values, **parts})


def _observation_from_dict(values: Mapping[str, Any]) -> Observation:
    misses = tuple(Misses(*each) for each in values["misses"])
    reached, typical_s = tuple(values.get("reached", ())), values.get("typical_s")
    unknown = tuple(values.get("unknown", (0,) * len(misses)))
    more = {
        "reached": reached,
        "typical_s": typical_s and tuple(typical_s),
        "unknown": unknown,
    }
    return Observation(**{**values, "misses": misses, **more})
