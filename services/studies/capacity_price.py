"""What a million output tokens cost at a server's capacity: the price per hour divided by the
tokens per hour, or a provider's price per token, which is the same at any load."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from services.analysis.capacity import Estimate, sustained
from services.ask.prices import Hourly, price_of
from services.base.units import dollars
from services.studies.capacity import Capacity
from services.studies.capacity_curve import OperatingPoint, operating_points

NEAR = 0.35  # on the log scale: loads with about as many tokens per request as at the capacity
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars per million output tokens, prompts included. For an hourly price, with the 95 %
    interval that follows from that of the capacity."""

    usd: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        return dollars(self.usd)

    def __str__(self) -> str:
        text = f"{self.text} per million output tokens"
        if self.low is None or self.high is None:
            return text
        return f"{text} (95 % {dollars(self.low)}–{dollars(self.high)})"


def cost(capacity: Capacity, server: int) -> Cost | None:
    """Return the cost of a million output tokens at a server's capacity. None if its price, its
    capacity or its token counts are unknown."""
    price = price_of(capacity.config.servers[server])
    points = operating_points(capacity, server)
    if price is None or not points:
        return None
    if not isinstance(price, Hourly):
        return _by_token(points, price.usd_per_prompt_token, price.usd_per_output_token)
    estimate = capacity.final_estimate(server)
    if estimate is None or not estimate.low or not estimate.high:
        return None
    tokens = _tokens_by_load(capacity, points, estimate)
    if tokens is None:
        return None
    usd, low, high = (
        price.usd_per_hour / 3600 / (tokens * load) * MILLION
        for load in (estimate.value, estimate.high, estimate.low)
    )
    return Cost(usd, low, high)


def _by_token(points: Sequence[OperatingPoint], prompt: float, output: float) -> Cost | None:
    lengths = [
        (probed.point.prompt_tokens, probed.point.output_tokens)
        for probed in points
        if probed.point.prompt_tokens is not None and probed.point.output_tokens
    ]
    if not lengths:
        return None
    prompts, outputs = (fmean(each) for each in zip(*lengths, strict=True))
    return Cost((prompts * prompt + outputs * output) / outputs * MILLION)


def _tokens_by_load(
    capacity: Capacity, points: Sequence[OperatingPoint], found: Estimate
) -> float | None:
    """Output tokens per second and unit of load near the capacity, from sustained loads if there
    are any."""
    known = [probed for probed in points if probed.point.tokens_per_s]
    near = [probed for probed in known if abs(math.log(probed.load / found.value)) <= NEAR]
    met = [
        probed
        for probed in near
        if probed.probe.observation
        and sustained(probed.probe.observation, capacity.config.parsed_objectives)
    ]
    counted = met or near
    return (
        fmean((probed.point.tokens_per_s or 0.0) / probed.load for probed in counted)
        if counted
        else None
    )
