"""What a run is asked to do.

One frozen value says it for the form, the flags, the API and the database. It never holds a key:
keys are looked up by backend name when a request is built (see `backends/`). Its fields are
declared in groups: `load`, `prompts`, `request`, `limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from services.ask import about
from services.ask.base_config import STORED
from services.ask.config.limits import MOST_PROCESSES, MOST_REPEATS, LimitFields
from services.ask.config.load import MOST, Client, LoadFields, Mode
from services.ask.config.prompts import (
    LONG_EVERY,
    LONG_TIMES,
    READERS,
    PromptFields,
    Workload,
    readers,
)
from services.ask.config.request import LengthName, Omittable, RequestFields
from services.ask.problems import validate

__all__ = [
    "JUDGEMENT",
    "LONG_EVERY",
    "LONG_TIMES",
    "MOST",
    "MOST_PROCESSES",
    "MOST_REPEATS",
    "READERS",
    "Client",
    "LengthName",
    "Mode",
    "Omittable",
    "RunConfig",
    "Workload",
    "parse",
    "readers",
    "stored",
]

# Backends whose newest models refuse any temperature and top-p but their own, which are 1: a 1 need
# not be sent there. An engine may have another default (vLLM takes the model's).
OWN_SAMPLING = ("openai",)


class RunConfig(LimitFields, RequestFields, PromptFields, LoadFields):  # the last one's come first
    """One run: to whom, when, what, how often. Times in seconds, lengths in tokens."""

    def __hash__(self) -> int:
        """Objects have no hash: equal configs have the same one without them."""
        return hash(tuple(value for value in vars(self).values() if not isinstance(value, dict)))

    @property
    def via_litellm(self) -> bool:
        """Whether LiteLLM's own work is part of every number."""
        return "litellm" in (self.client, self.backend)

    @property
    def sent_temperature(self) -> float | None:
        """The temperature that a request holds; None: none is sent."""
        if self.temperature is None and self.backend not in OWN_SAMPLING:
            return self._unless_omitted("temperature", 0.0)
        return self._unless_omitted("temperature", self.temperature)

    @property
    def sent_top_p(self) -> float | None:
        """The top-p that a request holds; None: none is sent."""
        return self._unless_omitted("top_p", self.top_p)

    def _unless_omitted(self, name: str, value: float | None) -> float | None:
        neutral = value == 1 and self.backend in OWN_SAMPLING
        return None if neutral or name in self.omit else value

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken, so that top-p and seed change nothing."""
        return self.sent_temperature == 0

    @model_validator(mode="after")
    def _check_mix(self) -> RunConfig:
        if self.workload != "mixed":
            return self
        if self.requests < (self.long_every or LONG_EVERY):
            raise ValueError(
                f"long_every: leaves no long request among {self.requests}. Send more, or choose "
                "a smaller number."
            )
        if self.long_input_tokens is not None and self.long_input_tokens < self.input_tokens:
            raise ValueError(
                f"long_input_tokens: must be at least input_tokens, which is {self.input_tokens}."
            )
        return self


def parse(values: Mapping[str, Any]) -> RunConfig:
    """Make a RunConfig of what a form, a command line or a request body says.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
    """
    return validate(RunConfig, values)


def stored(values: Mapping[str, Any]) -> RunConfig:
    """Return a config as it was stored: an address or fields that are refused by now are in it."""
    return RunConfig.model_validate(dict(values), context=STORED)


JUDGEMENT = about.names(RunConfig, lambda known: known.role == "judgement")
