"""What a million output tokens cost at capacity: by the hour, by the token, or not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.ask.prices import price
from services.report.capacity import capacity_document, sentences
from services.report.export.capacity_contents import capacity_contents
from services.studies.capacity import Capacity
from services.studies.capacity_price import cost
from tests.capacities import FIRST, SECOND, config_of_servers, searched


def two(**server: Any) -> Capacity:
    config = config_of_servers(2, window_s=60)
    servers = [one.model_copy(update=server) for one in config.servers]
    return searched(config.model_copy(update={"servers": tuple(servers)}), (FIRST, SECOND))


def test_an_hourly_price_is_converted_to_a_price_per_token() -> None:
    """About 35 requests/s of 50 tokens for $3.60 an hour: $0.001 / 1,750 tokens, $0.57 a million.
    A higher capacity is a lower price, so the ends of the interval change places."""
    capacity = two(usd_per_hour=3.6)
    found, known = cost(capacity, 0), capacity.final_estimate(0)
    assert found is not None and known is not None and known.low and known.high
    assert found.usd == pytest.approx(1e6 * 0.001 / (50 * known.value), rel=0.03)
    assert found.low == pytest.approx(found.usd * known.value / known.high)
    assert found.high == pytest.approx(found.usd * known.value / known.low)


def test_both_prices_are_in_the_verdict() -> None:
    capacity = two(usd_per_hour=3.6)
    verdict, first, second = sentences(capacity)
    assert "sustains 1." in verdict and verdict.endswith(" per million output tokens.")
    assert ", for $0.4" in verdict and " against $0.5" in verdict
    assert "That is $0.5" in first and "That is $0.4" in second
    (one, _) = capacity_document(capacity)["servers"]
    assert one["usd_per_million_output"]["low"] < one["usd_per_million_output"]["value"]


def test_a_provider_charges_the_same_at_any_load() -> None:
    """100 tokens of prompt for each 50 of output."""
    by_token = {"backend": "openai", "base_url": None, "model": "gpt-4o-mini"}
    known = price("openai", "gpt-4o-mini")
    assert known is not None
    found = cost(two(**by_token), 0)
    wanted = (2 * known.usd_per_prompt_token + known.usd_per_output_token) * 1e6
    assert found is not None and (found.usd, found.low) == (pytest.approx(wanted), None)


def test_without_a_price_nothing_is_said_of_it() -> None:
    capacity = two()
    assert cost(capacity, 0) is None
    assert not any("$" in text for text in sentences(capacity))


def test_no_price_is_shown_before_a_capacity_is_known() -> None:
    """A price per token is known from the first probe on: it is no price of "1 probe so far"."""
    capacity = two(backend="openai", base_url=None, model="gpt-4o-mini")
    begun = replace(capacity, probes=capacity.probes[:1])
    assert cost(begun, 0) is not None
    assert not any("$" in text for text in sentences(begun))
    assert not any("Per million" in tile.label for tile in capacity_contents(begun).tiles)
    assert any("$" in text for text in sentences(capacity))
