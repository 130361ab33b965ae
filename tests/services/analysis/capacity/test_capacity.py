"""A search finds the capacity of a queue that is known, says how sure that is, and says what it
does not know."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from services.analysis.capacity import (
    QUEUE,
    Conclusion,
    Estimate,
    Misses,
    Observation,
    RatioBound,
    Search,
    Step,
    capacity_ratio,
    estimate,
    next_step,
    parse_objectives,
    ratio_bound,
    recovery_of,
)
from services.analysis.capacity.observation import dispersion
from services.analysis.capacity.response import MissRate, crossing
from services.analysis.capacity.saturation import Saturation
from services.analysis.thresholds import InvalidThreshold
from tests.services.analysis.capacity.queue import Queue, searched

LIMIT_S = 0.5
TTFT = parse_objectives([f"ttft:p95<{LIMIT_S}"])
OF_EIGHT = Queue(8, 5.0)
OF_MANY = Queue(32, 2.0)  # with a limit of 2 s it holds 98 % of what it completes at most


def test_the_simulated_queue_matches_textbook_formulas() -> None:
    assert Queue(1, 1.0).missed(0.5, 0.0) == pytest.approx(0.5)  # M/M/1: it waits with ρ
    assert Queue(2, 1.0).missed(1.0, 0.0) == pytest.approx(1 / 3)  # Erlang C(2, 1)
    assert OF_EIGHT.capacity(LIMIT_S, 0.05) == pytest.approx(34.93, abs=0.01)


def test_a_queue_whose_speed_varies_has_less_capacity() -> None:
    """Its slow windows miss more than its fast ones save."""
    queue = Queue(8, 5.0)
    steady, varying = (queue.capacity(0.5, 0.05, varies) for varies in (0.0, 0.05))
    assert steady == pytest.approx(34.93, abs=0.01)
    assert varying == pytest.approx(33.88, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queue", "limit_s"), [(OF_EIGHT, LIMIT_S), (OF_MANY, 2.0)], ids=["settles", "never settles"]
)
def test_the_interval_of_a_search_covers_the_capacity(queue: Queue, limit_s: float) -> None:
    """Of 200 searches 186 or more have to; of 12, with that chance of each, at least 10 do in 999
    of 1,000 cases."""
    truth = queue.capacity(limit_s, 0.05)
    search = Search(parse_objectives([f"ttft:p95<{limit_s}"]), window_s=60.0)
    covered = 0
    for seed in range(12):
        ended, seen = searched(queue, seed, search)
        assert ended.estimate is not None and len(seen) <= search.max_probes
        low, high = ended.estimate.low, ended.estimate.high
        covered += (low or 0.0) <= truth <= (high or math.inf)
        assert ended.estimate.value == pytest.approx(truth, rel=0.15)
    assert covered >= 10


@pytest.mark.slow
@pytest.mark.parametrize("rate", [5.0, 0.4], ids=["32 requests/s", "2 requests/s"])
def test_the_interval_of_a_p99_covers_the_capacity(rate: float) -> None:
    """Few requests may miss, and they miss together: the hardest case. See bench/coverage.py."""
    queue, limit_s = Queue(8, rate), 2.5 / rate
    truth = queue.capacity(limit_s, 0.01)
    search = Search(parse_objectives([f"ttft:p99<{limit_s}"]), lowest=0.2)
    covered = 0
    for seed in range(12):
        ended, seen = searched(queue, seed, search)
        assert ended.estimate is not None and len(seen) <= search.max_probes
        assert ended.estimate.kind != "bracket"
        covered += (ended.estimate.low or 0.0) <= truth <= (ended.estimate.high or math.inf)
    assert covered >= 10


@pytest.mark.parametrize(
    ("lowest", "whole", "window_s"),
    [(0.5, False, 20.0), (0.1, False, 25.0), (4.0, False, 5.0), (1.0, True, 5.0)],
)
def test_windows_at_low_rates_are_long_enough_for_ten_requests(
    lowest: float, whole: bool, window_s: float
) -> None:
    """Of three, one window in twenty would have none; no window is five times as long as asked."""
    search = Search(TTFT, lowest=lowest, whole_numbers=whole, window_s=5.0)
    assert next_step(search, []) == Step(lowest, window_s)


@pytest.mark.parametrize(("objective", "requests"), [("ttft:p95<0.5", 60), ("ttft:p99<0.5", 300)])
def test_windows_near_the_capacity_are_long_enough_for_a_few_misses(
    objective: str, requests: int
) -> None:
    search = Search(parse_objectives([objective]), window_s=5.0)
    step = next_step(search, [at(4.0, 0.0), at(5.0, 0.02), at(6.0, 0.2)])
    assert isinstance(step, Step)
    assert step.window_s == pytest.approx(min(requests / step.load, 25.0))


def at(load: float, missed: float, n: int = 1000, **more: object) -> Observation:
    """A probe that missed such a share."""
    values = {"served": n, "window_s": 10.0, **more}
    return Observation(load, (Misses(round(missed * n), n, 1.0),), **values)  # type: ignore[arg-type]


def test_the_load_grows_until_something_is_missed() -> None:
    search = Search(TTFT)
    first = next_step(search, [])
    assert isinstance(first, Step) and first.load == 1.0
    second = next_step(search, [at(1.0, 0.0)])
    assert isinstance(second, Step) and second.load == 8.0


def test_a_server_that_sustains_everything_has_no_capacity_but_a_bound() -> None:
    ended = next_step(Search(TTFT, highest=8.0), [at(1.0, 0.0), at(8.0, 0.0)])
    assert ended == Conclusion("highest", None, 8.0, shown=True)


def test_the_highest_load_is_probed_again_until_chance_is_ruled_out() -> None:
    """Of 40 requests without a miss, up to 8.8 % may miss in the long run, and 5 % are allowed."""
    search = Search(TTFT, highest=8.0)
    seen = [at(1.0, 0.0), at(8.0, 0.0, 40)]
    assert next_step(search, seen) == Step(8.0, 60.0)
    ended = next_step(search, [*seen, at(8.0, 0.0, 40)])
    assert ended == Conclusion("highest", None, 8.0, shown=True)
    near = [at(1.0, 0.0), *[at(8.0, 0.045, 200)] * 3]
    assert next_step(search, near) == Conclusion("highest", None, 8.0, shown=False)


def test_the_lowest_load_is_probed_again_until_chance_is_ruled_out() -> None:
    """3 of 40 requests miss, where 2 may; as many may by chance."""
    search = Search(TTFT)
    assert next_step(search, [at(1.0, 0.075, 40)]) == Step(1.0, 60.0)
    again = next_step(search, [at(1.0, 0.075, 40), at(1.0, 0.0, 40)])
    assert isinstance(again, Step) and again.load == 8.0, "sustained after all"
    ended = next_step(search, [at(1.0, 0.075, 40)] * 3)
    assert ended == Conclusion("lowest", None, None, 1.0, shown=False)


def test_few_requests_without_a_miss_are_no_lower_end_of_a_bracket() -> None:
    """In 12 requests, a server that misses 10 % would show none in 28 % of windows."""
    few = [at(8.0, 0.0, 12), at(9.0, 1.0, 12)]
    found = estimate(few, TTFT)
    assert found is not None and found.kind != "bracket"
    many = estimate([at(8.0, 0.0, 80), at(9.0, 1.0, 80)], TTFT)
    assert many is not None and (many.kind, many.low, many.high) == ("bracket", 8.0, 9.0)


def test_a_server_that_sustains_nothing_says_so() -> None:
    ended = next_step(Search(TTFT), [at(1.0, 0.5)])
    assert ended == Conclusion("lowest", None, None, 1.0, shown=True)


def test_a_load_that_the_client_cannot_offer_is_not_a_capacity() -> None:
    search = Search(TTFT)
    seen = [at(1.0, 0.0), at(8.0, 0.0), at(64.0, 0.9, limited=True)]
    again = next_step(search, seen)
    assert isinstance(again, Step) and again.load == 64.0  # once more
    seen.append(at(64.0, 0.9, limited=True))
    while isinstance(step := next_step(search, seen), Step):
        assert step.load < 64.0
        seen.append(at(step.load, 0.0))
    assert step.why == "client" and step.estimate is None
    assert step.at_least is not None and 50 < step.at_least < 64


def test_an_abrupt_limit_is_bracketed() -> None:
    search = Search(TTFT)
    seen: list[Observation] = []
    while isinstance(step := next_step(search, seen), Step):
        seen.append(at(step.load, 0.0 if step.load <= 100 else 1.0))
    assert step.estimate is not None and step.estimate.kind == "bracket"
    low, high = step.estimate.low, step.estimate.high
    assert low is not None and high is not None and low <= 100 <= high <= 1.11 * low
    assert len(seen) <= 15


def test_a_load_met_above_a_missed_one_is_not_a_bound() -> None:
    """As by chance, or on a busy machine: what is claimed lies below all that was missed."""
    seen = [at(load, 0.0) for load in (1, 8, 40)] + [at(load, 0.3) for load in (35, 64)]
    ended = next_step(Search(TTFT, max_probes=len(seen)), seen)
    assert isinstance(ended, Conclusion) and ended.why == "most"
    assert (ended.at_least, ended.at_most) == (8, 64)


def test_loads_in_users_are_whole_numbers() -> None:
    search = Search(TTFT, whole_numbers=True)
    seen: list[Observation] = []
    while isinstance(step := next_step(search, seen), Step):
        assert step.load == round(step.load)
        seen.append(at(step.load, 0.0 if step.load <= 3 else 1.0))
    assert step.why == "steps" and (step.at_least, step.at_most) == (3.0, 4.0)


def test_a_growing_queue_bounds_the_capacity_where_no_limit_does() -> None:
    seen = [
        at(10.0, 0.0),
        _growing(60.0, 400),
    ]
    found = estimate(seen, TTFT)
    assert found is not None and found.binding == QUEUE
    assert found.low is not None and found.high is not None
    assert found.low < 40 < found.high and found.value == pytest.approx(40)


def test_a_load_well_below_is_probed_again_after_an_overload() -> None:
    search = Search(TTFT)
    seen = [at(1.0, 0.0, 60), at(8.0, 0.0, 80), _growing(64.0, 400)]
    again = next_step(search, seen)
    assert isinstance(again, Step) and again.load == 8.0  # of 40 that it completes
    seen.append(at(8.0, 0.0, 80))
    repeat = recovery_of(seen, TTFT)
    assert repeat is not None and repeat.after is seen[-1] and not repeat.stays_slow
    following = next_step(search, seen)
    assert isinstance(following, Step) and 20 < following.load < 64


def test_a_repeated_load_is_not_called_slow_by_chance() -> None:
    before, overload = at(8.0, 0.03, 480), _growing(64.0, 400)
    for missed, bad in ((0.05, False), (0.07, False), (0.12, True), (1.0, True)):
        repeat = recovery_of([before, overload, at(8.0, missed, 480)], TTFT)
        assert repeat is not None and repeat.stays_slow is bad, missed


def test_a_server_that_stays_slow_is_detected_and_its_new_capacity_found() -> None:
    """After the first overload each request takes three times as long."""
    random, seen = np.random.default_rng(3), list[Observation]()
    search, slow = Search(TTFT, window_s=60.0), Queue(8, 5.0 / 3)
    queue = OF_EIGHT
    while isinstance(step := next_step(search, seen), Step):
        seen.append(queue.probe(random, step.load, TTFT, step.window_s, step.window_s / 4))
        queue = slow if seen[-1].growing else queue
    repeat = recovery_of(seen, TTFT)
    assert repeat is not None and repeat.stays_slow and len(seen) <= search.max_probes
    assert not repeat.missed and repeat.slower == pytest.approx(3, rel=0.3)
    truth = slow.capacity(LIMIT_S, 0.05)
    assert step.estimate is not None
    assert step.estimate.value == pytest.approx(truth, rel=0.1)


def test_a_repeated_probe_is_abandoned_after_two_failed_tries() -> None:
    seen = [at(1.0, 0.0, 60), at(8.0, 0.0, 80), _growing(64.0, 400)]
    busy = at(8.0, 0.9, 80, limited=True)
    for tries in (1, 2):
        step = next_step(Search(TTFT), seen + [busy] * (tries - 1))
        assert isinstance(step, Step) and step.load == 8.0
    seen += [busy] * 2
    assert recovery_of(seen, TTFT) is None
    step = next_step(Search(TTFT), seen)
    assert isinstance(step, Step) and 20 < step.load < 64
    ended = next_step(Search(TTFT), [*seen, at(step.load, 0.9, limited=True)])
    assert isinstance(ended, Conclusion) and (ended.why, ended.at_least) == ("client", 8.0)
    seen += [at(step.load, 0.01), at(40.0, 0.2)]  # the machine is quiet again
    assert recovery_of(seen, TTFT) is None
    assert isinstance(next_step(Search(TTFT), seen), Step)


def test_a_busy_client_ends_the_search_after_three_probes_with_its_estimate() -> None:
    seen = [at(30.0, 0.0), at(33.0, 0.03), at(36.0, 0.09), at(60.0, 0.9), at(34.0, 0.05)]
    while isinstance(step := next_step(Search(TTFT), seen), Step):
        seen.append(at(step.load, 0.9, limited=True))
    assert step.why == "client" and len(seen) == 8
    assert step.estimate is not None and step.estimate.low and step.estimate.high


def test_a_search_without_a_repeated_load_says_nothing_about_recovery() -> None:
    seen = [at(1.0, 0.0), _growing(64.0, 400), at(36.0, 0.1)]
    assert recovery_of(seen, TTFT) is None
    assert recovery_of([at(1.0, 0.0)], TTFT) is None


def test_the_distance_from_saturation_is_near_the_textbook_value() -> None:
    most = Saturation(64.0, 0.01, 1.0)
    (objective,) = parse_objectives(["ttft:p95<2"])
    share = most.below(objective, 2.0)
    assert share is not None
    load = most.rate * (1 - share)
    truth = OF_MANY.capacity(2.0, 0.05)
    assert load <= truth and load == pytest.approx(truth, rel=0.002)
    exactly = (math.sqrt(64) - math.sqrt(truth)) ** -2  # of M/M/c (Abate and Whitt 1987)
    assert most.relaxation_s(truth) == pytest.approx(exactly, rel=0.02)
    assert most.relaxation_s(64.0) == math.inf
    assert most.below(objective, 0.05) is None  # no heavy traffic: nothing is known then


def test_windows_too_short_for_the_queue_widen_the_interval_downward() -> None:
    """Nothing was missed at 63 in a minute, but the queue needs longer to become what it will be:
    what is served at most, 64, tells that 62.6 is all that is sustained."""
    seen = [at(1.0, 0.0, window_s=60.0), at(63.0, 0.0, n=3780, window_s=60.0)]
    over = [at(80.0, 0.99, n=4800, window_s=60.0, served=3840, growing=True)] * 4
    found = estimate([*seen, *over], parse_objectives(["ttft:p95<2"]))
    assert found is not None and not found.settled and found.relaxation_s > 60
    assert found.value == pytest.approx(62.5, abs=0.3)
    assert found.low is not None and found.high is not None
    assert found.low < 62.2 and found.high > 64


def test_a_search_overloads_the_server_at_least_once() -> None:
    """So that it is known how far from saturation it is, and how long its queue takes to settle."""
    seen = [at(10.0, 0.0), at(40.0, 0.02), at(45.0, 0.08), at(42.0, 0.05)]
    step = next_step(Search(TTFT), seen)
    assert isinstance(step, Step) and step.load > 50


def _growing(load: float, served: int) -> Observation:
    return Observation(load, (Misses(0, 600, 1.0),), served, 10.0, 1.0, growing=True)


def test_the_crossing_of_exact_miss_rates_is_found() -> None:
    def share(load: float) -> float:
        return 1 / (1 + math.exp(-(math.log(0.05 / 0.95) + 15 * math.log(load / 50))))

    shares = [MissRate(load, round(1e4 * share(load)), 10_000) for load in (40, 45, 50, 55, 60)]
    found = crossing(shares, 0.05)
    assert found is not None and found.value == pytest.approx(50, rel=0.005)
    assert found.low is not None and found.high is not None and found.low <= 50 <= found.high


def test_requests_that_miss_together_increase_the_dispersion() -> None:
    random = np.random.default_rng(1)
    alone = random.random(4000) < 0.1
    together = np.repeat(random.random(400) < 0.1, 10)
    assert dispersion(alone) == pytest.approx(1, abs=0.4)
    assert dispersion(together) == pytest.approx(10, rel=0.35)


def known(value: float, width: float) -> Estimate:
    return Estimate(value, value / (1 + width), value * (1 + width), "interval", "ttft")


def test_capacities_are_compared_with_a_verdict() -> None:
    cases = {1.31: "more", 0.7: "less", 1.005: "equivalent", 1.03: "inconclusive"}
    for times, word in cases.items():
        ratio = capacity_ratio(known(100, 0.025), known(100 * times, 0.025), 0.05)
        assert ratio is not None and ratio.word == word, times
        assert ratio.low < ratio.value < ratio.high and ratio.value == pytest.approx(times)
        assert (ratio.longer is not None) == (word == "inconclusive")


def test_an_estimate_without_an_upper_bound_is_not_compared() -> None:
    open_above = Estimate(100, 90, None, "open", "ttft")
    assert capacity_ratio(known(100, 0.05), open_above, 0.05) is None


@pytest.mark.parametrize(
    ("baseline", "other", "verdict"),
    [
        ((28, 32), (64, None), RatioBound("more", 2)),
        ((64, None), (28, 32), RatioBound("less", 0.5)),
        ((None, 8), (16, None), RatioBound("more", 2)),
        ((28, 32), (30, None), None),
        ((28, None), (64, None), None),
        ((None, None), (64, None), None),
    ],
)
def test_bounds_that_exclude_equal_capacities_give_a_verdict(
    baseline: Any, other: Any, verdict: RatioBound | None
) -> None:
    assert ratio_bound(baseline, other) == verdict


def test_a_bound_that_chance_may_explain_gives_no_verdict() -> None:
    probably, surely = (Conclusion("highest", None, 64, None, shown) for shown in (False, True))
    assert probably.bounds == (None, None) and surely.bounds == (64, None)
    assert Conclusion("precise", known(100, 0.25)).bounds == (80, 125)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ttft:p95>0.5", "upper limit"),
        ("ttft:mean<0.5", "p95"),
        ("throughput<5", "ttft"),
        ("error_rate<0", "more than 0"),
        ("ttft:p95<0", "more than 0"),
    ],
)
def test_an_invalid_objective_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidThreshold, match=says):
        parse_objectives([text])


def test_objectives_have_readable_labels() -> None:
    asked = parse_objectives(["ttft:p95<0.5", "tpot:p50<0.05", "error_rate<0.01"])
    assert [one.label for one in asked] == [
        "TTFT p95 ≤ 500 ms",
        "TPOT median ≤ 50.0 ms",
        "error rate ≤ 1 %",
    ]
