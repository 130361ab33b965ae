"""A search for the capacity of one server or several: what is asked, its probes, what it found.

Each probe is a run at one load. A search holds no state of its own besides its probes: what comes
next follows from them, so one that was interrupted goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from services.analysis.capacity import (
    USUAL,
    CapacityRatio,
    Conclusion,
    Estimate,
    Misses,
    Objective,
    Observation,
    Repeat,
    Search,
    Step,
    capacity_ratio,
    counted,
    estimate,
    next_step,
    objectives,
    observe,
    repeat_below,
)
from services.analysis.capacity.point import Point, point
from services.analysis.metric_arrays import known, latenesses
from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.config import MOST_IN_FLIGHT, RunConfig
from services.ask.config.load import FASTEST
from services.ask.measurement import Measurement, Sample
from services.ask.problems import validate
from services.base.roles import NOBODY, Origin
from services.base.units import seconds

SETTLES = 0.25  # of a window: how long a load is offered before it
SET_BY_PROBES = (  # fields of a run that each probe sets, whatever the server's config says
    "mode",
    "rate",
    "users",
    "arrival_seed",
    "duration_s",
    "requests",
    "drain_s",
    "load_warmup_s",
    "concurrency",
    "repeats",
)
DRAIN_S = 30.0  # at least, and as long as the highest limit
LATE = 0.05  # of the lowest limit: the client itself may be no later than that. If 1 % of requests
# were, and missed a p95 for it, 6 % would miss it instead of 5: a capacity 1 % lower
LATE_S = 0.005
MOST_LATE = 0.01  # of the requests
MOST_SERVERS = 8

Unit = Literal["rate", "users"]
Status = Literal["running", "done", "cancelled", "interrupted", "failed"]
Text = Annotated[str, Field(max_length=100)]


class CapacitySearch(BaseConfig):
    """How a capacity is searched: objectives, loads, and how long each is measured."""

    objectives: tuple[Text, ...] = field(
        USUAL,
        About(
            "Objectives",
            "What must be met, such as ttft:p95<0.5 (in seconds) or error_rate<0.01",
            each="CONDITION",
        ),
        max_length=8,
    )
    load: Unit = field(
        "rate", About("Load", "Requests per second, or users who ask again when answered")
    )
    arrivals: Literal["poisson", "constant"] = field(
        "poisson", About("Arrivals", "How requests arrive at a rate: at random moments, or evenly")
    )
    lowest: float = field(
        1.0, About("Lowest load", "Where the search begins", step=1.0), gt=0, le=FASTEST
    )
    highest: float = field(
        10_000.0, About("Highest load", "Where the search ends", step=100.0), gt=0, le=FASTEST
    )
    precision: float = field(
        0.05,
        About("Precision", "The search ends when the 95 % interval is within ± this share"),
        ge=0.01,
        le=0.5,
    )
    probes: int = field(15, About("Max probes", "Probes of each server at most"), ge=4, le=100)
    window_s: float = field(
        60.0,
        About(
            "Window",
            "How long each load is measured, in seconds; up to five times as long where requests "
            "miss an objective together for long",
            unit="s",
            step=10.0,
        ),
        ge=1,
        le=3600,
    )
    margin: float = field(
        0.05,
        About("Margin", "Smaller differences between servers count as equivalent, as a share"),
        ge=0.001,
        le=1,
    )

    @field_validator("objectives")
    @classmethod
    def _can_be_asked(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        objectives(texts)
        return texts

    @model_validator(mode="after")
    def _has_a_range(self) -> CapacitySearch:
        if self.lowest >= self.highest:
            raise ValueError("highest: must be more than the lowest load.")
        if self.load == "users" and self.highest > MOST_IN_FLIGHT and self.lowest >= MOST_IN_FLIGHT:
            raise ValueError(f"lowest: at most {MOST_IN_FLIGHT:,} users are possible.")
        return self

    @property
    def asked(self) -> tuple[Objective, ...]:
        return objectives(self.objectives)

    @property
    def unit(self) -> str:
        return "users" if self.load == "users" else "requests/s"

    @property
    def search(self) -> Search:
        users = self.load == "users"
        return Search(
            self.asked,
            math.ceil(self.lowest) if users else self.lowest,
            min(self.highest, MOST_IN_FLIGHT) if users else self.highest,
            users,
            self.precision,
            self.probes,
            self.window_s,
        )


class CapacityConfig(CapacitySearch):
    """A search. Every probe is one of `servers` at a load; lengths, prompts and limits of a run are
    as that config says."""

    servers: tuple[RunConfig, ...] = field(
        (RunConfig(),),
        About("Servers", "Servers whose capacity is searched, the baseline first"),
        min_length=1,
        max_length=MOST_SERVERS,
    )


def as_asked(server: RunConfig) -> RunConfig:
    """Return a server's config without what each probe sets."""
    usual = RunConfig()
    return server.model_copy(update={name: getattr(usual, name) for name in SET_BY_PROBES})


@dataclass(frozen=True, slots=True)
class Probe:
    """One run of a search; `observation` is None until it has been measured, or if it never was."""

    server: int  # in the config's order
    load: float
    window_s: float
    run_id: int
    observation: Observation | None = None
    point: Point | None = None  # None also where it was measured by an earlier version

    @property
    def step(self) -> Step:
        return Step(self.load, self.window_s)


@dataclass(frozen=True, slots=True)
class Capacity:
    """A stored search."""

    id: int
    name: str
    note: str
    created_at: datetime
    config: CapacityConfig
    status: Status
    probes: tuple[Probe, ...]
    error: str | None = None  # why it failed, a sentence
    ended_at: datetime | None = None
    origin: Origin = NOBODY  # who asked for it, where people sign in
    study_id: int | None = None  # the study that it is part of
    engine_id: int | None = None  # the engine that Paceline starts for it
    start: int = 0  # of a study: 0 when each is searched first, from 1 on fresh starts of the best

    @property
    def started_by(self) -> str | None:
        return self.origin.started_by

    def seen(self, server: int) -> tuple[Observation, ...]:
        """What the probes of a server say, in the order in which they were made."""
        mine = (probe for probe in self.probes if probe.server == server)
        return tuple(probe.observation for probe in mine if probe.observation is not None)

    def next(self, server: int) -> Step | Conclusion:
        return next_step(self.config.search, self.seen(server))

    def so_far(self, server: int) -> Estimate | None:
        """A server's capacity as its probes tell it by now; None: nothing yet."""
        return estimate(counted(self.seen(server), self.config.asked), self.config.asked)

    def counted(self, server: int) -> list[Probe]:
        """The probes that tell of a server as it is: without those that the client could not offer,
        and those before an overload after which it stayed slow."""
        told = {id(one) for one in counted(self.seen(server), self.config.asked) if not one.limited}
        mine = (probe for probe in self.probes if probe.server == server)
        return [probe for probe in mine if id(probe.observation) in told]

    def found(self, server: int) -> Estimate | None:
        """A server's capacity once its search has ended; None where none was found."""
        ended = self.next(server)
        return ended.estimate if isinstance(ended, Conclusion) else None

    def repeat(self, server: int) -> Repeat | None:
        """The load that was sustained before a server was overloaded, and was probed again."""
        return repeat_below(self.seen(server), self.config.asked)

    @property
    def conclusions(self) -> tuple[Conclusion | None, ...]:
        """How the search of each server ended; None where it has not."""
        steps = (self.next(server) for server in range(len(self.config.servers)))
        return tuple(step if isinstance(step, Conclusion) else None for step in steps)

    @property
    def ratios(self) -> tuple[CapacityRatio | None, ...]:
        """Each other server's capacity over the baseline's, as far as both are known."""
        first, *others = (one and one.estimate for one in self.conclusions)
        return tuple(
            capacity_ratio(first, other, self.config.margin) if first and other else None
            for other in others
        )


def turn(capacity: Capacity) -> tuple[int, Step] | None:
    """Return the server to probe next, and how: the one with the fewest probes whose search has not
    ended, so that servers are measured in turns. None: all have ended."""
    steps = [(server, capacity.next(server)) for server in range(len(capacity.config.servers))]
    open_ = [(server, step) for server, step in steps if isinstance(step, Step)]
    return min(open_, key=lambda one: len(capacity.seen(one[0])), default=None)


def config_of(capacity: CapacityConfig, server: int, step: Step, number: int) -> RunConfig:
    """Return the run that is a probe: the server's config at a load, for its window and the time
    before it in which the load settles. `number`: of the probe, from 0; each has other arrivals."""
    limits = [one.limit_s for one in capacity.asked if one.limit_s is not None]
    load: dict[str, Any] = {"mode": capacity.arrivals, "rate": step.load}
    if capacity.load == "users":
        load = {"mode": "users", "users": round(step.load)}
    return capacity.servers[server].model_copy(
        update={
            **load,
            "arrival_seed": number + 1,
            "duration_s": round(step.window_s * (1 + SETTLES), 3),
            "drain_s": max([DRAIN_S, *limits]),
            "load_warmup_s": 0.0,
            "concurrency": None,
            "repeats": 1,
        }
    )


def measured(
    config: CapacityConfig,
    probe: Probe,
    measurements: Sequence[Measurement],
    samples: Sequence[Sample] = (),
) -> Probe:
    """Return a probe with what its requests say, and what was sampled of its engine."""
    settle_s = SETTLES * probe.window_s
    seen = observe(
        probe.load,
        measurements,
        config.asked,
        settle_s,
        probe.window_s,
        config.load == "rate",
        limited(config.asked, measurements),
    )
    more = point(measurements, samples, settle_s, probe.window_s)
    return replace(probe, observation=seen, point=more)


def unknown(config: CapacityConfig, probe: Probe) -> str | None:
    """Return why the lowest load, once measured, says nothing, as a sentence; None: it says
    something. At a higher load answers that take longer than a window are too late anyway."""
    seen = probe.observation
    if seen is None or probe.load > config.search.lowest or any(one.n for one in seen.misses):
        return None
    return (
        f"Run {probe.run_id}, at the lowest load, sent no request within its window of "
        f"{seconds(probe.window_s)}, so that nothing is known of it. Search with a longer window."
    )


def limited(asked: Sequence[Objective], measurements: Sequence[Measurement]) -> bool:
    """Whether the client could not offer a load: more than 1 % of the requests, beyond chance, were
    sent later than LATE of the lowest limit, so that it is the client that is measured."""
    late = known(latenesses(measurements))
    limits = [one.limit_s for one in asked if one.limit_s is not None]
    allowed_s = max(LATE_S, LATE * min(limits, default=1.0))
    usual = MOST_LATE * len(late)
    return float((late > allowed_s).sum()) > usual + 2 * math.sqrt(usual)


def to_dict(probe: Probe) -> dict[str, Any]:
    """Return a probe as JSON keeps it."""
    return {
        "server": probe.server,
        "load": probe.load,
        "window_s": probe.window_s,
        "run_id": probe.run_id,
        "observation": probe.observation and _kept(probe.observation),
        "point": probe.point and asdict(probe.point),
    }


def _kept(observation: Observation) -> dict[str, Any]:
    return {
        "load": observation.load,
        "misses": [[one.count, one.n, one.dispersion] for one in observation.misses],
        "served": observation.served,
        "window_s": observation.window_s,
        "served_dispersion": observation.served_dispersion,
        "growing": observation.growing,
        "limited": observation.limited,
        "reached": list(observation.reached),
        "typical_s": observation.typical_s and list(observation.typical_s),
    }


def from_dict(values: Mapping[str, Any]) -> Probe:
    """Return the probe that JSON keeps."""
    seen, more = values["observation"], values.get("point")
    parts = {"observation": seen and _observation(seen), "point": more and Point(**more)}
    return Probe(**{**values, **parts})


def _observation(values: Mapping[str, Any]) -> Observation:
    misses = tuple(Misses(*each) for each in values["misses"])
    reached, typical_s = tuple(values.get("reached", ())), values.get("typical_s")
    more = {"reached": reached, "typical_s": typical_s and tuple(typical_s)}
    return Observation(**{**values, "misses": misses, **more})


def parse_capacity(values: Mapping[str, Any]) -> CapacityConfig:
    """Validate the values of a form, a command line or a request body.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    return validate(CapacityConfig, values)
