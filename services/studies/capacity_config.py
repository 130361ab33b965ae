"""What a capacity search is asked: the servers, the objectives, and the loads to try."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from services.analysis.capacity import USUAL, Objective, Search, parse_objectives
from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.config import MAX_IN_FLIGHT, RunConfig
from services.ask.config.load import FASTEST
from services.ask.problems import validate

SET_BY_PROBES = (  # fields of a run that each probe sets, overriding the server's config
    "mode",
    "rate",
    "users",
    "arrival_seed",
    "duration_s",
    "requests",
    "drain_s",
    "load_warmup_s",
    "concurrency",
    "retries",  # a request that was refused at first was not served at this load
    "repeats",
)
MAX_SERVERS = 8

Unit = Literal["rate", "users"]
Text = Annotated[str, Field(max_length=100)]


class CapacitySearch(BaseConfig):
    """How a capacity is searched: objectives, loads, and how long each load is measured."""

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
        "rate",
        About(
            "Load", "Requests per second, or users who each send the next request after an answer"
        ),
    )
    arrivals: Literal["poisson", "constant"] = field(
        "poisson", About("Arrivals", "How requests arrive at a rate: at random moments, or evenly")
    )
    lowest: float = field(
        1.0,
        About("Lowest load", "Lowest load to try, where the search begins", step=1.0),
        gt=0,
        le=FASTEST,
    )
    highest: float = field(
        10_000.0, About("Highest load", "Highest load to try", step=100.0), gt=0, le=FASTEST
    )
    precision: float = field(
        0.05,
        About(
            "Precision (0.05 is ±5 %)",
            "The search ends when the 95 % interval is within ± this share",
        ),
        ge=0.01,
        le=0.5,
    )
    probes: int = field(
        15, About("Max probes", "Maximum number of probes of each server"), ge=4, le=100
    )
    window_s: float = field(
        60.0,
        About(
            "Window",
            "How long each load is measured, in seconds; up to five times as long if few "
            "requests arrive, or if many in a row miss an objective",
            unit="s",
            step=10.0,
        ),
        ge=1,
        le=3600,
    )
    margin: float = field(
        0.05,
        About(
            "Margin (0.05 is ±5 %)",
            "Smaller differences between servers count as equivalent, as a share",
        ),
        ge=0.001,
        le=1,
    )

    @field_validator("objectives")
    @classmethod
    def _check_objectives(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        parse_objectives(texts)
        return texts

    @model_validator(mode="after")
    def _check_range(self) -> CapacitySearch:
        if self.lowest >= self.highest:
            raise ValueError("highest: must be more than the lowest load.")
        if self.load == "users" and self.highest > MAX_IN_FLIGHT and self.lowest >= MAX_IN_FLIGHT:
            raise ValueError(f"lowest: at most {MAX_IN_FLIGHT:,} users are possible.")
        return self

    @property
    def parsed_objectives(self) -> tuple[Objective, ...]:
        return parse_objectives(self.objectives)

    @property
    def unit(self) -> str:
        return "users" if self.load == "users" else "requests/s"

    @property
    def search(self) -> Search:
        users = self.load == "users"
        return Search(
            self.parsed_objectives,
            math.ceil(self.lowest) if users else self.lowest,
            min(self.highest, MAX_IN_FLIGHT) if users else self.highest,
            users,
            self.precision,
            self.probes,
            self.window_s,
        )


class CapacityConfig(CapacitySearch):
    """A search. Every probe is a run of one of `servers` at a load; the config supplies lengths,
    prompts and limits."""

    servers: tuple[RunConfig, ...] = field(
        (RunConfig(),),
        About("Servers", "Servers whose capacity is searched, the baseline first"),
        min_length=1,
        max_length=MAX_SERVERS,
    )


def without_probe_fields(server: RunConfig) -> RunConfig:
    """Return a server's config without the fields that each probe sets."""
    usual = RunConfig()
    return server.model_copy(update={name: getattr(usual, name) for name in SET_BY_PROBES})


def set_by_probes(names: Iterable[str]) -> dict[str, str]:
    """Map each of these fields that each probe sets to a sentence."""
    return {
        name: f"{name} is set by the search for each probe: leave it out."
        for name in names
        if name in SET_BY_PROBES
    }


def parse_capacity(values: Mapping[str, Any]) -> CapacityConfig:
    """Validate the values of a form, a command line or a request body.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    return validate(CapacityConfig, values)
