"""The config of a run.

One frozen value for the form, the flags, the API and the database. It never holds a key:
keys are looked up by backend name when a request is built (see `backends/`). Its fields are
declared in groups: `load`, `prompts`, `request`, `limits`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from pydantic import ValidationInfo, model_validator

from services.ask import about, conversation
from services.ask.base_config import STORED
from services.ask.config import spreads
from services.ask.config.limits import MAX_PROCESSES, MAX_REPEATS, LimitFields
from services.ask.config.load import (
    MAX_IN_FLIGHT,
    MOST,
    RATES,
    Client,
    LoadFields,
    Mode,
)
from services.ask.config.prefixes import PrefixFields
from services.ask.config.prefixes import problem as prefix_problem
from services.ask.config.prompts import (
    FORMER,
    LONG_EVERY,
    LONG_TIMES,
    MAX_PROMPTS,
    MAX_TOKENS,
    READERS,
    Distribution,
    PromptFields,
    TextStyle,
    Workload,
    readers,
)
from services.ask.config.request import DialectName, LengthName, Omittable, RequestFields
from services.ask.config.sessions import SessionFields
from services.ask.config.traces import TraceFields
from services.ask.problems import validate
from services.ask.repeated import of_equal_turns

__all__ = [
    "FORMER",
    "JUDGEMENT",
    "LONG_EVERY",
    "LONG_TIMES",
    "MAX_IN_FLIGHT",
    "MAX_PROCESSES",
    "MAX_PROMPTS",
    "MAX_REPEATS",
    "MAX_TOKENS",
    "MOST",
    "RATES",
    "READERS",
    "Client",
    "DialectName",
    "Distribution",
    "LengthName",
    "Mode",
    "Omittable",
    "RunConfig",
    "TextStyle",
    "Workload",
    "parse",
    "readers",
    "stored",
]

# Backends whose newest models reject any temperature and top-p other than their default of 1,
# which is therefore not sent. Engines may have another default (vLLM uses the model's).
OWN_SAMPLING = ("openai", "anthropic")
TEXTS = ("prompt", "prompts", "input_tokens")  # say which prompts to send, not how


# Pydantic orders the fields from the last base to the first.
class RunConfig(
    LimitFields, RequestFields, SessionFields, PrefixFields, PromptFields, TraceFields, LoadFields
):
    """One run. Times in seconds, lengths in tokens."""

    def __hash__(self) -> int:
        """Without dicts, which are not hashable."""
        return hash(tuple(value for value in vars(self).values() if not isinstance(value, dict)))

    @property
    def via_litellm(self) -> bool:
        """Whether every number includes the overhead of LiteLLM."""
        return "litellm" in (self.client, self.backend)

    def reads(self, name: str) -> bool:
        """Return whether a field has an effect in this run."""
        known = about.fields(type(self))[name]
        return known.is_read(self.mode, self.workload) and name not in about.ignored(self)

    @property
    def sent_temperature(self) -> float | None:
        """The temperature that is sent, or None."""
        if self.temperature is None and self.backend not in OWN_SAMPLING:
            return self._unless_omitted("temperature", 0.0)
        return self._unless_omitted("temperature", self.temperature)

    @property
    def sent_top_p(self) -> float | None:
        """The top-p that is sent, or None."""
        return self._unless_omitted("top_p", self.top_p)

    def _unless_omitted(self, name: str, value: float | None) -> float | None:
        neutral = value == 1 and self.backend in OWN_SAMPLING
        return None if neutral or name in self.omit else value

    @property
    def greedy(self) -> bool:
        """Whether sampling is greedy, so that top-p and seed have no effect."""
        return self.sent_temperature == 0

    @model_validator(mode="before")
    @classmethod
    def _check_amount(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, dict) and info.context is not STORED and data.get("duration_s"):
            usual = cls.model_fields["requests"].default
            if data.get("requests") not in (None, usual):
                raise ValueError(
                    "requests: cannot be combined with a duration. Give only one of them."
                )
        return data

    @model_validator(mode="before")
    @classmethod
    def _infer_replay(cls, data: Any) -> Any:
        """If no mode is given, a trace is replayed, with its own prompts if no others are given."""
        if not isinstance(data, dict) or not data.get("trace"):
            return data
        others = any(data.get(name) is not None for name in TEXTS)
        return {"mode": "replay"} | ({} if others else {"workload": "trace"}) | data

    @model_validator(mode="after")
    def _check_replay(self) -> RunConfig:
        if self.workload == "trace" or self.mode == "replay":
            if not self.trace:
                raise ValueError("trace: is missing. Give a file with a trace.")
            if not self.replayed:
                raise ValueError(
                    "trace_from_s: selects no requests. Choose another part of the trace."
                )
        if self.mode != "replay":
            return self
        if self.duration_s is not None:
            raise ValueError(
                "duration_s: does not apply to a trace replay. Set trace_to_s instead."
            )
        if self.load_warmup_s * self.trace_speed > self.trace_from_s:
            raise ValueError(
                "load_warmup_s: is longer than the part of the trace before its start. Start later "
                "(trace_from_s), or shorten the warm-up."
            )
        object.__setattr__(self, "requests", len(self.replayed))  # overrides what was given
        return self

    @model_validator(mode="after")
    def _check_load(self) -> RunConfig:
        if self.mode == "batch" and self.concurrency is None:
            for name in ("duration_s", "load_warmup_s"):
                if getattr(self, name):
                    raise ValueError(
                        f"{name}: has no effect in a batch that sends everything at once. Set "
                        "concurrency, or choose another mode."
                    )
        if (
            self.mode == "staggered"
            and not self.interval_s
            and (self.duration_s or self.load_warmup_s)
        ):
            raise ValueError("interval_s: must be more than 0 in a run with a duration.")
        return self

    @model_validator(mode="after")
    def _check_amount_by_time(self, info: ValidationInfo) -> RunConfig:
        """A schedule of more requests than a run may have would fill the memory before the first is
        sent. Stored runs have ended."""
        if info.context is STORED or self.mode not in (*RATES, "staggered"):
            return self
        first = self.rate if self.mode in RATES else 1 / (self.interval_s or inf)
        fastest = max(first, self.end_rate if self.mode in ("ramp", "steps") else 0)
        for name, rate in (("duration_s", fastest), ("load_warmup_s", first)):
            if rate * (getattr(self, name) or 0) > MOST:
                raise ValueError(
                    f"{name}: is too long: at that rate there are more than {MOST:,} requests."
                )
        return self

    @model_validator(mode="after")
    def _check_nodes(self) -> RunConfig:
        if self.on is None:
            return self
        if self.via_litellm:
            raise ValueError("on: needs Paceline's own client. Choose the client wire.")
        if self.processes is not None:
            raise ValueError("processes: do not apply to a cluster: each node has one.")
        return self

    @model_validator(mode="after")
    def _check_lengths(self, info: ValidationInfo) -> RunConfig:
        for which in ("input", "output"):
            law = getattr(self, f"{which}_distribution")
            if law in ("uniform", "normal") and getattr(self, f"{which}_spread") > 1:
                raise ValueError(
                    f"{which}_spread: must be at most 1, because no length is below 0. Choose a "
                    "smaller one, or the lognormal distribution."
                )
        if info.context is STORED:
            return self
        for which, means in self._mean_lengths.items():
            law, spread = getattr(self, f"{which}_distribution"), getattr(self, f"{which}_spread")
            if any(spreads.is_too_wide(law, mean, spread) for mean in means):
                raise ValueError(
                    f"{which}_spread: is too wide for {max(means):,} tokens, because no length is "
                    f"above {MAX_TOKENS:,} and their mean would be lower. Choose a smaller one."
                )
        return self

    @property
    def _mean_lengths(self) -> dict[str, list[int]]:
        """The mean lengths of the distributions that the workload draws from."""
        long = [self.long_max_tokens] if self.workload == "mixed" and self.long_max_tokens else []
        return {
            "input": [self.input_tokens] if self.workload == "synthetic" else [],
            "output": [self.max_tokens, *long] if self.workload != "trace" else [],
        }

    @model_validator(mode="after")
    def _check_sessions(self) -> RunConfig:
        if self.workload == "file" and self.turns != 1:
            conversation.check(self.prompts, self.turns, self.turn_by_turn, self.history)
        return self

    @model_validator(mode="after")
    def _check_prefixes(self) -> RunConfig:
        if self.workload == "synthetic" and self.prefix_share:
            turns, tokens = self.turns or 1, self.input_tokens
            begun = -(-self.requests // turns) if self.duration_s is None else None
            again = of_equal_turns(turns, tokens, self.max_tokens, self.history == "answered")
            if wrong := prefix_problem(self, tokens, begun, self.unique_prompts, again):
                raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _check_mix(self) -> RunConfig:
        if self.workload != "mixed":
            return self
        if self.duration_s is None and self.requests < (self.long_every or LONG_EVERY):
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
    """Return the RunConfig for values of a form, a command line or a request body.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    return validate(RunConfig, values)


def stored(values: Mapping[str, Any]) -> RunConfig:
    """Return a stored config, including an address or fields that would be rejected now."""
    return RunConfig.model_validate(dict(values), context=STORED)


JUDGEMENT = about.names(RunConfig, lambda known: known.role == "judgement")
