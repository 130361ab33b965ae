"""Which requests are of use to somebody who waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analysis.objectives import (
    PRESETS,
    Objectives,
    counted,
    from_link,
    goodput,
    objectives_of,
    with_judgement,
)
from services.analysis.statistics import wilson
from services.analysis.summary import summarize, summary_row
from services.ask.config import RunConfig, parse
from services.ask.prices import Hourly, price_of
from tests.values import failed, measured

ALL = Objectives(ttft_s=1.0, tpot_s=0.5, e2e_s=3.0)


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),  # TTFT 1, TPOT (3 − 1) / 4 = 0.5, E2E 3: a limit is the most that is good
        ({"ttft": 1.01, "e2e": 3.0}, False),
        ({"tokens": 4}, False),  # TPOT 2 / 3
        ({"e2e": 3.01, "tokens": 9}, False),
        ({"tokens": 1}, True),  # one token has no TPOT that could be missed
        ({"t_first": None}, None),  # not streamed: its first token was not seen
        ({"output_tokens": None}, None),
        ({"t_first": None, "e2e": 3.01}, False),  # late all the same
        ({"status": "failed"}, False),
    ],
)
def test_a_request_is_good_if_it_succeeded_within_every_limit(
    changes: dict[str, object], good: bool | None
) -> None:
    outcome = {True: (1, 1), False: (0, 1), None: (0, 0)}[good]
    assert counted(ALL, [measured(**changes)]) == outcome  # type: ignore[arg-type]


def test_without_a_limit_every_success_is_good() -> None:
    cut = measured(1, status="cancelled")
    assert counted(Objectives(), [measured(e2e=1e6), failed(), cut]) == (1, 2)


def test_a_request_that_was_refused_at_first_is_not_good() -> None:
    again = measured(1, attempts=2, retry_wait_s=9.0)
    attainment = summarize([measured(0), again], None, Objectives(e2e_s=5.0)).attainment
    assert attainment is not None and (attainment.good, attainment.ended) == (1, 2)


def test_attainment_by_hand() -> None:
    # Repeat 0: four seconds, three good of four ended; repeat 1: two seconds, one good of two.
    first = [measured(i, send=i * 0.5, ttft=0.5, e2e=2.5) for i in range(3)]
    late = measured(3, send=0.0, ttft=2.0, e2e=4.0)
    second = [measured(0, repeat=1, ttft=0.5, e2e=2.0), failed(1, repeat=1)]
    cut = measured(9, status="cancelled")
    summary = summarize([*first, late, cut, *second], None, Objectives(ttft_s=1.0))
    attainment = summary.attainment
    assert attainment is not None and (attainment.good, attainment.ended) == (4, 6)
    assert [repeat.goodput_per_s for repeat in summary.repeats] == [3 / 4, 1 / 2]
    assert [repeat.slo_attainment for repeat in summary.repeats] == [3 / 4, 1 / 2]
    assert attainment.goodput_per_s == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert attainment.share == pytest.approx(4 / 6) and attainment.interval == wilson(4, 6)
    assert attainment.sentence == (
        "66.7 % of the requests met TTFT ≤ 1.00 s (95 % interval 30.0–90.3 %): "
        "goodput 0.625 requests/s."
    )


def test_what_was_not_measured_is_not_counted_as_kept() -> None:
    streamed, whole = measured(0), measured(0, repeat=1, t_first=None)
    attainment = summarize([streamed, whole], None, Objectives(ttft_s=1.0)).attainment
    assert attainment is not None and attainment.share is attainment.goodput_per_s is None
    assert attainment.sentence.startswith("It is unknown how many requests met TTFT ≤ 1.00 s: none")
    known = summarize([streamed, whole], None, Objectives(e2e_s=3.0)).attainment
    assert known is not None and known.share == 1.0


def test_a_repeat_in_which_nothing_was_good_counts_as_zero() -> None:
    good = [measured(0, e2e=2.0)]
    bad = [failed(0, repeat=1)]
    attainment = summarize([*good, *bad], None, Objectives(e2e_s=2.0)).attainment
    assert attainment is not None and attainment.goodput_per_s == pytest.approx((0.5 + 0.0) / 2)
    assert goodput(0, 0, None) is None  # nothing ended: nothing is known


def test_without_objectives_nothing_is_reported() -> None:
    summary = summarize([measured()])
    assert summary.attainment is None
    row = summary_row(summary)
    names = ("goodput_per_s", "slo_attainment", "slo_attainment_low", "slo_attainment_high")
    assert [row[name] for name in (*names, "objectives")] == [None] * 5


def test_a_row_holds_attainment_with_its_interval() -> None:
    row = summary_row(summarize([measured(i) for i in range(10)], None, Objectives(ttft_s=1.0)))
    assert (row["slo_attainment"], row["slo_attainment_high"]) == (1.0, 1.0)
    assert row["slo_attainment_low"] == pytest.approx(0.7225, abs=1e-4)  # 10 / (10 + z²)
    assert row["objectives"] == "TTFT ≤ 1.00 s"
    nothing = summary_row(summarize([measured(status="cancelled")], None, ALL))
    assert nothing["slo_attainment"] is nothing["slo_attainment_low"] is None


limits = st.none() | st.floats(0.01, 10)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0.01, 5), st.integers(1, 50)), max_size=30),
    limits,
    limits,
    limits,
)
def test_one_limit_more_never_makes_more_requests_good(
    requests: list[tuple[float, float, int]],
    ttft: float | None,
    tpot: float | None,
    e2e: float | None,
) -> None:
    measurements = [
        measured(i, ttft=t, e2e=t + d, tokens=n) for i, (t, d, n) in enumerate(requests)
    ]
    every, ended = counted(Objectives(ttft, tpot, e2e), measurements)
    alone = [Objectives(ttft_s=ttft), Objectives(tpot_s=tpot), Objectives(e2e_s=e2e)]
    assert ended == len(measurements)
    assert every <= min(counted(one, measurements)[0] for one in alone)


# --- where they come from ----------------------------------------------------------------------


def test_a_config_without_limits_has_no_objectives() -> None:
    assert objectives_of(RunConfig()) is None
    config = parse({"ttft_limit_s": "0.5", "tpot_limit_s": 0.05})
    objectives = objectives_of(config)
    assert objectives == Objectives(0.5, 0.05)
    assert objectives is not None and objectives.label == "TTFT ≤ 500 ms and TPOT ≤ 50.0 ms"


def test_a_link_can_replace_or_remove_objectives() -> None:
    objectives, problems = from_link(
        {"runs": "1,2", "ttft": "0.25", "tpot": "", "usd_per_hour": "2.5"}
    )
    assert objectives == {"ttft_limit_s": 0.25, "tpot_limit_s": None, "usd_per_hour": 2.5}
    assert problems == ()
    config = with_judgement(RunConfig(ttft_limit_s=1, tpot_limit_s=1, e2e_limit_s=9), objectives)
    assert objectives_of(config) == Objectives(0.25, None, 9)
    assert price_of(config) == Hourly(2.5)


@pytest.mark.parametrize("text", ["-1", "0", "soon", "nan", "inf", "1e9"])
def test_an_invalid_link_is_reported(text: str) -> None:
    objectives, (sentence,) = from_link({"e2e": text})
    assert objectives == {} and sentence.startswith("e2e must be ") and sentence.endswith(".")


def test_every_preset_describes_valid_runs() -> None:
    for objectives in PRESETS.values():
        fields = {"ttft_limit_s": objectives.ttft_s, "tpot_limit_s": objectives.tpot_s}
        assert objectives_of(parse(fields)) == objectives


# --- price -------------------------------------------------------------------------------------


def test_an_hourly_price_takes_precedence_over_the_price_map() -> None:
    config = parse({"backend": "openai", "model": "gpt-4o", "usd_per_hour": 7.2})
    price = price_of(config)
    assert price == Hourly(7.2)
    two = [measured(0, e2e=3.0), measured(0, repeat=1, e2e=2.0)]
    summary = summarize(two, price)
    assert summary.cost_usd == pytest.approx(5 * 7.2 / 3600)
    assert [repeat.cost_usd for repeat in summary.repeats] == pytest.approx([0.006, 0.004])
    assert summary.usd_per_million_output == pytest.approx((0.006 + 0.004) / 2 / 5 * 1e6)
    assert summary.cost_source == "at $7.20 an hour, as entered"


def test_a_cost_with_an_unknown_part_is_unknown_not_smaller() -> None:
    summary = summarize([measured(0), failed(0, repeat=1)], Hourly(1.0))
    assert summary.cost_usd is None and summary.cost_source is None
