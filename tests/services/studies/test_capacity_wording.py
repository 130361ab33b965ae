"""What a search says where it has no interval, and after an overload."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.analysis.capacity import (
    Conclusion,
    Estimate,
    Misses,
    Observation,
    Recovery,
    recovery_of,
)
from services.base.units import significant
from services.studies.capacity_wording import (
    after_overload,
    amount_text,
    bounds_text,
    plan,
    short_answer,
    why_ended,
    with_interval,
)
from tests.capacities import FIRST, SECOND, config_of_servers, searched

USERS, RATE = (config_of_servers(load=load) for load in ("users", "rate"))


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (Conclusion("lowest", None, None, 1.0), "less than 1 user, the lowest load"),
        (Conclusion("highest", None, 8.0), "at least 8 users, the highest load of the search"),
        (Conclusion("client", None, 1.0), "at least 1 user; this client cannot offer more"),
        (Conclusion("client", None), "this client cannot offer 1 user"),
        (Conclusion("client", None, 1.0, 8.0), "sustains at least 1 and less than 8 users"),
        (Conclusion("most", None, 1.0), "sustains at least 1 user"),
        (Conclusion("most", None, 1.0, 8.0), "sustains at least 1 and less than 8 users"),
        (Conclusion("most", None), "has an unknown capacity"),
    ],
)
def test_bounds_are_worded_with_singular_and_plural_users(ended: Conclusion, says: str) -> None:
    assert says in bounds_text(ended, USERS)


def test_a_capacity_in_users_is_the_number_that_is_sustained() -> None:
    """A curve that crosses the objective at 12.7 users sustains 12 of them, and not 13."""
    found = Estimate(12.7, 11.6, 13.9, "interval", "ttft:p95<0.5")
    assert with_interval(found, USERS) == "12 users (95 % interval 11–13)"
    assert amount_text(found, USERS) == "12 users"
    assert amount_text(replace(found, value=1.8), USERS) == "1 user"


def test_a_list_has_the_answer_of_each_search() -> None:
    one, two = (searched(config_of_servers(n), (FIRST, SECOND)[:n]) for n in (1, 2))
    found = one.final_estimate(0)
    assert found and found.low and found.high
    text = short_answer(one)
    assert text.startswith(f"{significant(found.value)} requests/s (")
    assert re.fullmatch(
        r"A [0-9.]+ requests/s \([0-9.–]+\), B [0-9.]+ requests/s \([0-9.–]+\)", short_answer(two)
    )
    assert short_answer(replace(one, probes=())) == "", "nothing is known yet"
    under_way = replace(one, probes=one.probes[:-1])
    assert short_answer(under_way).startswith("about ")


def test_a_client_that_is_busy_in_the_end_is_why_the_search_ended() -> None:
    found = Estimate(34.0, 30.0, 38.0, "interval", "ttft:p95<0.5")
    said = why_ended(Conclusion("client", found, 30.0, 38.0), RATE)
    assert "before the interval was within ±10 %" in said and "close other programs" in said
    assert (
        why_ended(Conclusion("client", None, 30.0, 38.0), RATE) == said.partition(" The first")[0]
    )
    assert why_ended(Conclusion("client", None, 30.0), RATE).startswith("The limit is this client")


def test_a_wide_range_recommends_more_probes() -> None:
    said = why_ended(Conclusion("most", None, 23.0, 64.0), USERS)
    assert said.endswith("more probes or longer windows would narrow it.")


def test_a_server_that_recovers_is_called_as_fast_only_where_that_is_known() -> None:
    seen = Observation(8.0, (Misses(0, 80, 1.0),), 480, 60.0, typical_s=(0.9, 1.0, 1.1))
    over = Observation(64.0, (Misses(80, 80, 1.0),), 480, 60.0, growing=True)
    known = Recovery(over, seen, seen)
    assert (after_overload(known, RATE) or "").endswith("again, about as fast as before.")
    few = Recovery(over, seen, replace(seen, typical_s=None))
    assert (after_overload(few, RATE) or "").endswith("again.")


def test_a_repeated_load_missed_within_chance_is_not_a_lack_of_recovery() -> None:
    """One of twelve misses a p95: too few to say that it stays slow, and not sustained."""
    before = Observation(8.0, (Misses(0, 80, 1.0),), 80, 10.0)
    over = Observation(64.0, (Misses(80, 80, 1.0),), 480, 60.0, growing=True)
    after = Observation(8.0, (Misses(1, 12, 1.0),), 12, 10.0)
    repeat = recovery_of([before, over, after], RATE.parsed_objectives)
    assert repeat is not None and not repeat.stays_slow
    said = after_overload(repeat, RATE) or ""
    assert "recovers" not in said and "not shown to sustain 8.00 requests/s again" in said
    none_came = replace(after, misses=(Misses(0, 0, 1.0),))
    repeat = recovery_of([before, over, none_came], RATE.parsed_objectives)
    assert after_overload(repeat, RATE) == said


def test_a_plan_says_that_windows_at_low_rates_are_longer() -> None:
    """Ten requests are awaited: below one per second those take longer than ten seconds."""
    slow = RATE.model_copy(update={"lowest": 0.2, "window_s": 10.0})
    assert "near the capacity and below 1.00 requests/s: usually" in plan(slow)
    assert "(more at such low rates)" in plan(slow)
    for other in (RATE, USERS, slow.model_copy(update={"load": "users"})):
        assert "near the capacity: usually" in plan(other)
        assert "low rates" not in plan(other)
