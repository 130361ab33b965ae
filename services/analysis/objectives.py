"""Service level objectives: latency limits for a request, and how many requests met them.

Goodput counts the requests that met every limit (Zhong et al. 2024, DistServe): a server can have
a high throughput and still be slow for every user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analysis.metric_arrays import metric_array
from services.analysis.metrics import metric
from services.analysis.statistics import wilson
from services.ask.config import JUDGEMENT, RunConfig, parse
from services.ask.measurement import Measurement
from services.ask.measurements import Measurements, as_table
from services.ask.problems import InvalidConfig
from services.base.finite import rate
from services.base.units import seconds, share, significant


@dataclass(frozen=True, slots=True)
class Objectives:
    """Upper limits in seconds; None: no limit."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None

    @property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """The limits that are set, as (metric name, seconds)."""
        named = (("ttft_s", self.ttft_s), ("tpot_s", self.tpot_s), ("e2e_s", self.e2e_s))
        return tuple((name, limit) for name, limit in named if limit is not None)

    @property
    def label(self) -> str:
        """The limits as text: `TTFT ≤ 500 ms and TPOT ≤ 50.0 ms`."""
        texts = [f"{metric(name).label} ≤ {seconds(limit)}" for name, limit in self.limits]
        return " and ".join(texts)


@dataclass(frozen=True, slots=True)
class Attainment:
    """How many requests of a run met the objectives. Failed requests missed them, and so did those
    that succeeded only when they were sent again; cancelled ones are not counted."""

    objectives: Objectives
    good: int
    ended: int  # met, missed and failed
    goodput_per_s: float | None  # good requests per second of a repeat's window, mean over repeats

    @property
    def share(self) -> float | None:
        return self.good / self.ended if self.ended else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; it covers variation between requests, not between repeats."""
        return wilson(self.good, self.ended)

    @property
    def sentence(self) -> str:
        if self.share is None:
            return (
                f"It is unknown how many requests met {self.objectives.label}: none has "
                "finished, one was not streamed, or a token count is missing."
            )
        low, high = (significant(100 * bound) for bound in self.interval)
        text = f"{share(self.share)} of the requests met {self.objectives.label}"
        text += f" (95 % interval {low}–{high} %)"
        if self.goodput_per_s is None:
            return f"{text}."
        return f"{text}: goodput {significant(self.goodput_per_s)} requests/s."


def objectives_of(config: RunConfig) -> Objectives | None:
    """Return the objectives of a run; None if it has none."""
    objectives = Objectives(config.ttft_limit_s, config.tpot_limit_s, config.e2e_limit_s)
    return objectives if objectives.limits else None


def counted(objectives: Objectives, measurements: Sequence[Measurement]) -> tuple[int, int]:
    """Return the number of requests that met the objectives, and of all that ended. (0, 0) if that
    is unknown for one of them: it was not streamed, or its token count is missing."""
    table = as_table(measurements)
    ended = table.where(~table.are("cancelled"))
    good = ended.where(ended.are("ok"))
    missed = good.numbers("attempts") > 1  # its metrics are those of the last attempt
    unseen = np.zeros(len(good), dtype=np.bool_)
    for name, limit in objectives.limits:
        missed |= metric_array(good, name) > limit
        unseen |= unknown(good, name)
    if (unseen & ~missed).any():
        return 0, 0
    return int(np.count_nonzero(~missed)), len(ended)


def unknown(table: Measurements, name: str) -> NDArray[np.bool_]:
    """Return for which requests it is unknown whether a limit on the metric `name` is met: they
    were not streamed, have no text, or their token count is missing. A metric that does not apply,
    such as TPOT with one token, is not unknown."""
    unseen: NDArray[np.bool_] = np.any(
        [np.isnan(table.numbers(field)) for field in SEEN[name]], axis=0
    )
    return unseen


def goodput(good: int, ended: int, window_s: float | None) -> float | None:
    """Return the good requests of one repeat per second of its window; 0 without any, even if the
    window is unknown."""
    if good and window_s:
        return rate(good, window_s)
    return 0.0 if ended and not good else None


def from_link(parameters: Mapping[str, str]) -> tuple[dict[str, float | None], tuple[str, ...]]:
    """Parse the objectives and price in a link's query parameters. Return the values by config
    field (None for an empty parameter), and a message for each invalid one."""
    settings: dict[str, float | None] = {}
    problems: list[str] = []
    for name, field in IN_LINKS.items():
        if name not in parameters:
            continue
        text = parameters[name].strip()
        try:
            settings[field] = getattr(parse({field: text}), field) if text else None
        except InvalidConfig as error:
            problems.append(error.problems[field].replace(field, name, 1))
    return settings, tuple(problems)


def with_judgement(config: RunConfig, judgement: Mapping[str, Any]) -> RunConfig:
    """Return a copy of the config with the given objectives and price."""
    assert set(judgement) <= set(JUDGEMENT)
    return config.model_copy(update=dict(judgement))


SEEN = {  # what must have been measured to know whether a metric applies
    "ttft_s": ("t_first",),
    "ttfa_s": ("t_answer",),
    "tpot_s": ("t_first", "output_tokens"),
    "e2e_s": ("t_last",),
}
IN_LINKS = {
    "ttft": "ttft_limit_s",
    "tpot": "tpot_limit_s",
    "e2e": "e2e_limit_s",
    "usd_per_hour": "usd_per_hour",
}
# Latency constraints of MLPerf Inference's server scenarios (at the 99th percentile):
# mlcommons/inference_policies, inference_rules.adoc, "Benchmarks", as of 2026-07-23.
PRESETS: dict[str, Objectives] = {
    "Llama 2 70B, conversational": Objectives(2.0, 0.2),
    "Llama 2 70B, interactive": Objectives(0.45, 0.04),
    "Llama 3.1 8B, conversational": Objectives(2.0, 0.1),
    "Llama 3.1 8B, interactive": Objectives(0.5, 0.03),
    "Llama 3.1 405B, server": Objectives(6.0, 0.175),
    "Llama 3.1 405B, interactive": Objectives(4.5, 0.08),
    "Mixtral 8x7B, server": Objectives(2.0, 0.2),
    "DeepSeek-R1, server": Objectives(2.0, 0.08),
    "DeepSeek-R1, interactive": Objectives(1.5, 0.015),
    "GPT-OSS 120B, server": Objectives(3.0, 0.08),
    "GPT-OSS 120B, interactive": Objectives(2.0, 0.02),
}
