"""The configuration of a study: a grid of engines and loads, each cell of which is one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.config import MAX_IN_FLIGHT, RunConfig
from services.ask.problems import InvalidConfig, validate
from services.servers.engines import EngineConfig
from services.studies.axis import Axis, engine_with, parse_axes, run_changes
from services.studies.capacity_config import SET_BY_PROBES, CapacitySearch
from services.studies.parallel import Parallel
from services.studies.presets import PRESETS

MAX_CELLS = 300
DEFAULT_REPEATS = 3  # the fewest that give a verdict
Size = Annotated[int, Field(ge=1, le=MAX_IN_FLIGHT)]
AxisText = Annotated[str, Field(max_length=2000)]
Length = Annotated[int, Field(ge=1, le=131_072)]


class StudyCapacity(CapacitySearch):
    """How the configuration with the highest capacity is found."""

    starts: int = field(
        3,
        About(
            "Fresh starts",
            "How many times the two best configurations are started again and measured, "
            "alternating",
        ),
        ge=2,
        le=10,
    )


class StudyConfig(BaseConfig):
    """A study. Every cell is `run` on `engine` (None: on the server of `run`), changed by one value
    of each axis. Lengths are in tokens."""

    preset: str = field("tensor", About("Preset", "Preset of what is varied"))
    engine: EngineConfig | None = field(
        None, About("Engine", "Engine that Paceline starts; empty: an existing server")
    )
    run: RunConfig = field(
        RunConfig(repeats=DEFAULT_REPEATS), About("Run", "What is measured in each cell")
    )
    parallel: tuple[Parallel, ...] = field(
        (Parallel(),),
        About("Parallel sizes", "How the engine is parallelized over devices"),
        min_length=1,
        max_length=50,
    )
    chunked: tuple[bool, ...] = field(
        (), About("Chunked prefill", "Chunked prefill on, off"), max_length=2
    )
    batches: tuple[Size, ...] = field(
        (), About("Batch sizes", "Requests sent at once"), max_length=50
    )
    input_lengths: tuple[Length, ...] = field(
        (), About("Prompt lengths", "Tokens in each prompt", unit="tokens"), max_length=50
    )
    concurrencies: tuple[Size, ...] = field(
        (), About("Concurrencies", "Maximum number of requests in flight"), max_length=50
    )
    axes: tuple[AxisText, ...] = field(
        (),
        About(
            "Further axes",
            "A field of the engine or the run, or a flag of the engine, and its values: "
            "max_seqs=64,256 · max_tokens=32,512 · flag:--enable-prefix-caching=on,off",
            each="NAME=VALUES",
        ),
        max_length=8,
    )
    search: StudyCapacity | None = field(
        None,
        About("Search", "Objectives and loads of the capacity searches"),
    )
    usd_per_gpu_hour: float | None = field(
        None,
        About("Price per GPU-hour", "What one GPU costs per hour, in US $", unit="US $"),
        gt=0,
        le=1_000_000,
    )

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, name: str) -> str:
        if name not in PRESETS:
            raise ValueError(f"must be one of {', '.join(PRESETS)} (got {name[:40]!r})")
        return name

    @field_validator("parallel", "chunked", "batches", "input_lengths", "concurrencies")
    @classmethod
    def _remove_duplicates(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))

    @field_validator("axes")
    @classmethod
    def _check_axes(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        parsed = parse_axes(texts)
        return tuple(f"{axis.name}={','.join(axis.values)}" for axis in parsed)

    @model_validator(mode="after")
    def _check_engine(self) -> StudyConfig:
        varied = self.chunked or self.engine_axes or self.parallel != (Parallel(),)
        if self.engine is None and varied:
            raise ValueError(
                "engine: is missing. An existing server cannot be restarted with other settings: "
                "choose an engine that Paceline starts, or another preset."
            )
        return self

    @model_validator(mode="after")
    def _check_search(self) -> StudyConfig:
        if PRESETS[self.preset].capacity != (self.search is not None):
            raise ValueError(
                "search: requires the preset capacity, the only one that searches for capacities. "
                "Give both, or neither."
            )
        if self.search is None:
            return self
        if self.engine is None:
            raise ValueError(
                "engine: is missing. To find the capacity of an existing server, you do not need "
                "a study: use the page Capacity, or `paceline capacity`."
            )
        named = [axis.name for axis in self.run_axes if axis.name in SET_BY_PROBES]
        if fixed := [
            *named,
            *(name for name in ("batches", "concurrencies") if getattr(self, name)),
        ]:
            raise ValueError(f"{fixed[0]}: is set by the capacity search: leave it out.")
        return self

    @model_validator(mode="after")
    def _values_are_valid(self) -> StudyConfig:
        try:
            for choice in (each for axis in self.engine_axes for each in axis.choices):
                engine_with(self.engine or EngineConfig(), [choice])
            for choice in (each for axis in self.run_axes for each in axis.choices):
                run_changes(choice)
        except InvalidConfig as error:
            raise ValueError(f"axes: {error}") from None
        return self

    @property
    def engine_axes(self) -> tuple[Axis, ...]:
        """The further axes that change the engine."""
        return tuple(axis for axis in parse_axes(self.axes) if axis.of_engine)

    @property
    def run_axes(self) -> tuple[Axis, ...]:
        """The further axes that change the run."""
        return tuple(axis for axis in parse_axes(self.axes) if not axis.of_engine)


def parse_study(values: Mapping[str, Any]) -> StudyConfig:
    """Validate the values of a form, a command line or a request body.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    return validate(StudyConfig, values, inner)


def inner(problem: Any) -> dict[str, Any]:
    """Return a pydantic error of a study with its `loc` relative to the run or the engine, if it is
    in one of these."""
    path = [part for part in problem["loc"] if part != "body"]
    within = len(path) > 1 or problem["type"] == "value_error"
    of_one = within and path[:1] in (["run"], ["engine"], ["search"])
    return {**problem, "loc": tuple(path[1:] if of_one else path)}
