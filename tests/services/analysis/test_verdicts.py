"""Verdicts on two runs: the wording, and what difference could have been detected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.analysis.compare import Candidate, InvalidComparison, Verdict, Word, compare
from services.analysis.compare.findings import FAMILY, judge
from services.analysis.compare.ratio_text import AMOUNT, TIME, change, times, verdict_label
from services.analysis.statistics import Ratio, ratio
from services.ask.measurement import Measurement
from tests.values import STEADY, candidate, failed, measured, repeats

NARROW = (1.000, 1.004, 0.996, 1.002, 0.998)  # five repeats that vary by a third of a per cent
WIDE = (1.0, 1.5, 0.7, 1.2, 0.9)


def a(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), **{"run_id": 1, "name": "A", **of_run})


def b(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), **{"run_id": 2, "name": "B", **of_run})


def verdict_of(reference: Candidate, other: Candidate, **margin: float) -> Verdict:
    (verdict,) = compare([reference, other], **margin).verdicts
    assert verdict.run_id == other.run.id
    return verdict


def words_by_measure(verdict: Verdict) -> dict[str, Word]:
    return {finding.name: finding.word for finding in verdict.findings}


# --- a difference ------------------------------------------------------------------------------


def test_a_clear_difference_is_worded_with_its_interval() -> None:
    verdict = verdict_of(a(), b(repeats(0.5)))
    assert verdict.word == "faster"
    assert verdict.headline == "B has 2.00× the output throughput of A"
    assert verdict.sentence == (
        "B has 2.00× the output throughput of A: 95 % interval 1.91–2.09, 3 repeats each. Also: "
        "median tokens/s per request 2.00× (1.91–2.09); median TTFT 50 % shorter, 0.50× "
        "(0.48–0.52); median E2E latency 50 % shorter, 0.50× (0.48–0.52)."
    )


def test_the_interval_in_the_sentence_is_right_by_hand() -> None:
    logs = [math.log(x) for x in STEADY]
    mean = sum(logs) / 3
    error = math.sqrt(2 * sum((x - mean) ** 2 for x in logs) / 2 / 3)
    half = 2.776445 * error  # 4 degrees of freedom: the variances are equal
    ratio = compare([a(), b(repeats(0.5))]).rows[0].ratios[1]
    assert ratio is not None
    assert (ratio.low, ratio.high) == pytest.approx((2 / math.exp(half), 2 * math.exp(half)), 1e-6)


@pytest.mark.parametrize(
    ("slower", "word"), [(0.5, "faster"), (2.0, "slower"), (1.0, "inconclusive")]
)
@pytest.mark.parametrize("mode", ["batch", "staggered", "sequential"])
def test_the_verdict_follows_the_direction_in_every_mode(
    slower: float, word: str, mode: str
) -> None:
    verdict = verdict_of(a(mode=mode), b(repeats(slower), mode=mode))
    assert verdict.word == word
    decides = {"batch": "output throughput", "staggered": "median tokens/s per request"}
    assert verdict.findings[0].label == decides.get(mode, "median E2E latency")
    assert verdict.findings[0].label in verdict.sentence.lower().replace("ttft", "TTFT").replace(
        "e2e", "E2E"
    )


def test_a_latency_is_reported_as_a_time() -> None:
    verdict = verdict_of(a(mode="sequential"), b(repeats(2.0), mode="sequential"))
    assert verdict.headline == "B has 2.00× the median E2E latency of A"
    assert verdict.sentence.startswith(
        "B has 2.00× the median E2E latency of A: 95 % interval 1.91–2.09, 3 repeats each."
    )
    first = verdict.findings[0]
    assert first.ratio is not None and first.speed is not None
    assert first.ratio.value == pytest.approx(2.0) and first.speed[0] == pytest.approx(0.5)
    assert first.ratio.low and first.speed[2] == pytest.approx(1 / first.ratio.low)


def test_more_throughput_with_slower_requests_is_reported_as_a_trade_off() -> None:
    # Alone a request takes 2 s and the next waits; eight at a time take 4 s and end together.
    alone = [
        measured(i, repeat=r, send=2 * f * i, ttft=0.5 * f, e2e=2 * f)
        for r, f in enumerate(NARROW)
        for i in range(8)
    ]
    together = [
        measured(i, repeat=r, ttft=2 * f, e2e=4 * f) for r, f in enumerate(NARROW) for i in range(8)
    ]
    verdict = verdict_of(
        a(alone, name="sequential", mode="sequential", pause_s=0, comparison_id=1),
        b(together, name="batch of 8", comparison_id=1),
    )
    assert verdict.headline == (
        "Batch of 8 gives 4.00× the throughput of sequential, but 50 % fewer tokens/s per request"
    )
    assert verdict.sentence.startswith(
        "Batch of 8 gives 4.00× the throughput of sequential, but 50 % fewer tokens/s per "
        "request: output throughput 4.00× (95 % interval 4.00–4.00), median tokens/s per request "
        "0.50× (95 % interval 0.50–0.50); 5 repeats each, interleaved. Also: median TTFT 4.00× "
        "as long (4.00–4.00); median E2E"
    )
    back = verdict_of(
        b(together, name="batch of 8"), a(alone, name="sequential", mode="sequential", pause_s=0)
    )
    assert back.headline == (
        "Sequential gives 75 % less throughput than batch of 8, but 2.00× the tokens/s per request"
    )


@pytest.mark.parametrize(
    ("ratio", "amount", "time"),
    [
        (1.0, "the same", "the same"),
        (1.442, "44 % higher", "44 % longer"),
        (1.045, "4.5 % higher", "4.5 % longer"),
        (0.18, "82 % lower", "82 % shorter"),
        (0.0042, "99.6 % lower", "99.6 % shorter"),
        (5.6, "5.60×", "5.60× as long"),
        (310.4, "310×", "310× as long"),
    ],
)
def test_a_ratio_is_worded_as_people_say_it(ratio: float, amount: str, time: str) -> None:
    assert (change(ratio, AMOUNT), change(ratio, TIME)) == (amount, time)


# --- the client's own waiting -----------------------------------------------------------------


def paced(step: float, **of_run: Any) -> list[Measurement]:
    """Four requests a repeat of 2 s each, `step` seconds apart."""
    return [
        measured(i, repeat=r, send=step * i, ttft=0.5 * f, e2e=2 * f)
        for r, f in enumerate(NARROW)
        for i in range(4)
    ]


def test_a_measure_with_the_clients_own_waiting_does_not_lead() -> None:
    """A pause of 20 s makes throughput 13× lower, though each request is as fast."""
    slow = a(paced(22), name="sequential", mode="sequential", pause_s=20.0)
    verdict = verdict_of(slow, b(paced(1), name="staggered", mode="staggered", interval_s=1.0))
    assert verdict.headline == "Staggered is as fast as sequential, within ±5 %"
    assert verdict.details.startswith("By median tokens/s per request: 1.00×")
    assert (
        "Output throughput includes the client's own waiting (staggered: an interval of 1 s; "
        "sequential: a pause of 20 s), so median tokens/s per request decides." in verdict.details
    )
    assert words_by_measure(verdict)["output_tokens_per_s"] == "no verdict", "client-made"
    assert "Also: output throughput 13.6×" in verdict.details


def test_a_pause_of_one_run_keeps_throughput_from_leading() -> None:
    slow = a(paced(22), name="sequential", mode="sequential", pause_s=20.0)
    verdict = verdict_of(slow, b(paced(0), name="batch"))
    assert verdict.findings[0].name == "tokens_per_s_median" and verdict.word == "equivalent"
    assert "(sequential: a pause of 20 s)" in verdict.sentence
    alone = replace(
        slow, run=replace(slow.run, config=slow.run.config.model_copy(update={"pause_s": 0.0}))
    )
    assert verdict_of(alone, b(paced(0), name="batch")).findings[0].name == "output_tokens_per_s"


def test_with_equal_intervals_throughput_is_judged_but_does_not_lead() -> None:
    runs = (
        a(paced(1), mode="staggered", interval_s=1),
        b(paced(1), mode="staggered", interval_s=1),
    )
    verdict = verdict_of(*runs)
    assert verdict.findings[0].name == "tokens_per_s_median"
    assert words_by_measure(verdict)["output_tokens_per_s"] == "equivalent"
    assert "(an interval of 1 s)" in verdict.sentence
    assert (
        verdict_of(
            runs[0],
            replace(
                runs[1],
                run=replace(
                    runs[1].run, config=runs[1].run.config.model_copy(update={"interval_s": 2.0})
                ),
            ),
        )
        .findings[1]
        .word
        == "no verdict"
    )


def test_without_token_counts_the_latency_of_each_request_leads() -> None:
    unknown = [replace(m, output_tokens=None, token_source="unknown") for m in paced(1)]
    verdict = verdict_of(a(unknown, mode="staggered"), b(unknown, mode="staggered"))
    assert verdict.findings[0].name == "e2e_s_median" and verdict.word == "equivalent"


def test_the_clients_own_waiting_is_not_a_trade_off() -> None:
    quick = [
        measured(i, repeat=r, send=22 * i, ttft=0.1 * f, e2e=f)
        for r, f in enumerate(NARROW)
        for i in range(4)
    ]
    slow = a(quick, name="sequential", mode="sequential", pause_s=21.0)
    verdict = verdict_of(slow, b(paced(1), name="staggered", mode="staggered", interval_s=1.0))
    assert (
        verdict.headline == "Staggered has 50 % lower median tokens/s per request than sequential"
    )


def test_measures_that_include_waiting_are_last_in_the_table() -> None:
    slow = a(paced(22), mode="sequential", pause_s=20.0)
    rows = [row.metric for row in compare([slow, b(paced(0))]).rows]
    assert rows[0] == "tokens_per_s_median"
    assert rows[-3:] == ["output_tokens_per_s", "total_tokens_per_s", "requests_per_s"]


# --- no difference -----------------------------------------------------------------------------


def test_two_similar_runs_are_equivalent() -> None:
    verdict = verdict_of(a(repeats(vary=NARROW)), b(repeats(1.001, NARROW)))
    assert verdict.word == "equivalent"
    assert verdict.headline == "B is as fast as A, within ±5 %"
    assert verdict.sentence.startswith(
        "B is as fast as A, within ±5 %, by output throughput: 1.00× (95 % interval 0.99–1.00), "
        "5 repeats each. Also: median tokens/s per request equivalent within ±5 %, 1.00× "
        "(0.99–1.00);"
    )


def test_a_difference_within_the_margin_is_reported_as_equivalent() -> None:
    verdict = verdict_of(a(repeats(vary=NARROW)), b(repeats(0.98, NARROW)))
    assert verdict.word == "equivalent" and verdict.findings[0].differs
    assert "5 repeats each. There is a difference, but it is within the margin." in verdict.sentence


def test_the_margin_decides_what_is_equivalent() -> None:
    pair = a(repeats(vary=NARROW)), b(repeats(0.98, NARROW))
    assert verdict_of(*pair, margin=0.05).word == "equivalent"
    narrow = verdict_of(*pair, margin=0.01)
    assert narrow.word == "faster" and narrow.margin == 0.01
    assert "within ±10 %" in verdict_of(a(), b(), margin=0.1).headline


@pytest.mark.parametrize("margin", [0.0, -1.0, 1.01, math.nan, math.inf])
def test_an_invalid_margin_is_refused(margin: float) -> None:
    with pytest.raises(InvalidComparison, match=r"from 0.1 % to 100 %"):
        compare([a(), b()], margin)


def test_inconclusive_says_what_was_detectable_and_how_many_repeats_it_takes() -> None:
    verdict = verdict_of(a(), b(repeats(1.001)))
    assert verdict.headline == "B against A: inconclusive"
    assert verdict.detectable == pytest.approx(1.094, abs=0.001) and verdict.repeats_needed == 6
    assert (
        "Output throughput is 1.00× (95 % interval 0.95–1.05), 3 repeats each. In 80 % of cases, "
        "repeats like these detect a difference of 9.4" in verdict.sentence
    )
    assert " or more; detecting 5 % needs about 6 repeats of each run. Also:" in verdict.sentence


def first_token_after(seconds: float, vary: Sequence[float]) -> list[Measurement]:
    """Five repeats of one request, whose answer takes about 4 s."""
    return [
        measured(r, repeat=r, ttft=seconds * f, e2e=4 * w)
        for r, (f, w) in enumerate(zip(NARROW, vary, strict=True))
    ]


@pytest.mark.parametrize(
    ("vary", "headline"),
    [
        (
            NARROW,
            "B has the same output throughput as A, within ±5 %, but median TTFT 3.00× as long",
        ),
        (WIDE, "B against A: output throughput inconclusive, but median TTFT 3.00× as long"),
    ],
)
def test_a_headline_without_a_difference_names_the_measure_that_differs(
    vary: Sequence[float], headline: str
) -> None:
    verdict = verdict_of(a(first_token_after(0.5, vary)), b(first_token_after(1.5, vary)))
    assert verdict.headline == headline
    assert verdict.sentence.startswith(headline) and "by output" not in verdict.sentence
    assert verdict.details.startswith(("1.00×", "Output throughput is"))


def test_runs_that_vary_wildly_need_more_repeats_than_are_allowed() -> None:
    wild = (0.2, 1.0, 5.0)
    verdict = verdict_of(a(repeats(vary=wild)), b(repeats(1.1, vary=wild)))
    assert verdict.word == "inconclusive" and verdict.repeats_needed is None
    assert "needs more than 1,000 repeats of each run" in verdict.sentence


def test_several_measures_together_need_clearer_differences() -> None:
    # p of the throughput alone is under 5 %; the two latencies show nothing.
    tokens = (100, 102, 98)
    left = [measured(r, repeat=r, tokens=n) for r, n in enumerate(tokens)]
    right = [measured(r, repeat=r, tokens=n) for r, n in enumerate((105, 107, 103))]
    comparison = compare([a(left), b(right)])
    verdict = comparison.rows[0].ratios[1]
    assert verdict is not None and verdict.p is not None and 0.02 < verdict.p < 0.05
    assert comparison.verdicts[0].word == "inconclusive"
    assert "among several measures (Holm) it may be chance" in comparison.verdicts[0].sentence


# --- no verdict --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "now"), [(1, 1, "1 repeat each"), (2, 3, "3 repeats against 2")]
)
def test_under_three_repeats_a_side_there_is_a_ratio_and_no_verdict(
    left: int, right: int, now: str
) -> None:
    verdict = verdict_of(a(repeats(vary=STEADY[:left])), b(repeats(0.5, STEADY[:right])))
    assert set(words_by_measure(verdict).values()) == {"no verdict"}
    assert verdict.headline == "B against A: no verdict"
    assert (
        "Output throughput is 2.0" in verdict.sentence
        and "× as high in these repeats, but a verdict needs 3 or more repeats of each run"
        in verdict.sentence
    )
    assert f"({now} now)" in verdict.sentence


@pytest.mark.parametrize("mode", ["batch", "sequential"])
def test_runs_that_fail_differently_get_no_verdict_at_all(mode: str) -> None:
    failing = [*repeats(0.5), *(failed(9, repeat=r) for r in range(3))]
    verdict = verdict_of(a(mode=mode), b(failing, mode=mode))
    assert set(words_by_measure(verdict).values()) == {"no verdict"}
    assert verdict.sentence.startswith(
        "B against A: no verdict, because the error rates are 0 % and 20.0 %, so the numbers "
        "are those of different requests."
    )
    assert ("own waiting" in verdict.sentence) == (mode == "sequential")
    assert "faster" not in verdict.sentence and "slower" not in verdict.sentence


def test_without_a_successful_request_there_is_nothing_to_compare() -> None:
    broken = [failed(index, repeat=r) for r in range(3) for index in range(3)]
    reason = "because the error rates are {}, so there are no numbers to compare."
    assert reason.format("0 % and 100 %") in verdict_of(a(), b(broken)).sentence
    assert reason.format("100 % and 0 %") in verdict_of(a(broken), b()).sentence


def test_without_token_counts_there_is_no_verdict_on_throughput() -> None:
    verdict = verdict_of(a(), b(repeats(output_tokens=None, token_source="unknown")))
    assert verdict.word == "no verdict"
    assert "output throughput is not known for both" in verdict.sentence


# --- interleaved -------------------------------------------------------------------------------


def test_runs_of_one_comparison_are_compared_in_pairs() -> None:
    """Whatever slows the machine down slows both runs: only paired repeats cancel it out."""
    drift = (1.0, 1.3, 0.8, 1.5, 0.9)
    left = repeats(vary=drift)
    right = repeats(0.9, tuple(x * y for x, y in zip(drift, NARROW, strict=True)))
    apart = verdict_of(a(left), b(right))
    assert apart.word == "inconclusive" and "in turns" not in apart.sentence
    interleaved = verdict_of(a(left, comparison_id=7), b(right, comparison_id=7))
    assert interleaved.word == "faster"
    assert "5 repeats each, interleaved." in interleaved.sentence
    assert verdict_of(a(left, comparison_id=7), b(right, comparison_id=8)).word == "inconclusive"


def test_a_repeat_of_only_one_run_is_not_paired() -> None:
    left = repeats(vary=NARROW)
    right = [m for m in repeats(0.5, NARROW) if m.repeat != 1]
    paired = verdict_of(a(left, comparison_id=7), b(right, comparison_id=7)).findings[0].ratio
    assert paired is not None and paired.paired and (paired.n_reference, paired.n_other) == (4, 4)
    few = [m for m in right if m.repeat < 3]  # two pairs: too few, so each by itself
    paired = verdict_of(a(left, comparison_id=7), b(few, comparison_id=7)).findings[0].ratio
    assert (
        paired is not None and not paired.paired and (paired.n_reference, paired.n_other) == (5, 2)
    )


# --- several runs, names, digits ---------------------------------------------------------------


def test_every_other_run_has_its_verdict_in_order() -> None:
    others = [candidate(repeats(s), run_id=i, name=f"R{i}") for i, s in ((7, 0.5), (5, 2.0))]
    verdict = compare([a(), *others]).verdicts
    assert [(v.run_id, v.word) for v in verdict] == [(7, "faster"), (5, "slower")]


def test_runs_with_the_same_name_get_distinct_labels() -> None:
    same = [candidate(repeats(s), run_id=i, name="A") for i, s in ((7, 0.5), (5, 2.0))]
    first, second = compare([a(), *same]).verdicts
    assert first.sentence.startswith("Run 7 has 2.00× the output throughput of run 1:")
    assert second.sentence.startswith("Run 5 has 50 % lower output throughput than run 1:")


def test_every_measure_is_judged_and_equivalent_states_its_margin() -> None:
    verdict = verdict_of(a(), b(repeats(0.5)))
    assert {finding.label for finding in verdict.findings} == {
        label for label, _ in FAMILY.values()
    }
    assert verdict_label("equivalent", 0.025) == "equivalent within ±2.5 %"
    assert verdict_label("faster", 0.025) == "faster"


def test_no_measure_is_judged_when_verdicts_are_refused() -> None:
    clear = ratio([1.0, 1.01, 0.99], [2.0, 2.01, 1.99])
    assert {finding.word for finding in judge(dict.fromkeys(FAMILY, clear), no_verdicts=True)} == {
        "no verdict"
    }
    only_ttft: dict[str, Ratio | None] = {"ttft_s_median": clear}
    assert [finding.word for finding in judge(only_ttft) if finding.ratio] == ["slower"]


@pytest.mark.parametrize(
    ("value", "text"), [(1.416, "1.42"), (14.16, "14.2"), (310.4, "310"), (0.0042, "0.0042")]
)
def test_a_ratio_is_rounded_to_readable_digits(value: float, text: str) -> None:
    assert times(value) == text


# --- not measured to the end -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("queued", "is still being measured"),
        ("running", "is still being measured"),
        ("cancelled", "was cancelled before it finished"),
        ("interrupted", "was interrupted before it finished"),
        ("failed", "failed before it finished"),
    ],
)
def test_there_is_no_verdict_on_unfinished_runs(status: Any, why: str) -> None:
    verdict = verdict_of(a(), b(repeats(0.5), status=status))
    assert set(words_by_measure(verdict).values()) == {"no verdict"}
    assert verdict.sentence.startswith(f"B against A: no verdict, because this run {why}.")
    verdict = verdict_of(a(status=status), b(repeats(0.5)))
    assert set(words_by_measure(verdict).values()) == {"no verdict"}
    assert verdict.sentence.startswith(f"B against A: no verdict, because its baseline {why}.")


def test_the_details_do_not_repeat_the_headline() -> None:
    verdict = Verdict(1, "faster", "B has 2.00× the output throughput of A", "", (), 0.05)
    with_details = replace(verdict, sentence=f"{verdict.headline}: over 5 repeats each. Also: …")
    assert with_details.details == "Over 5 repeats each. Also: …"
    without = replace(
        verdict, headline="B: no verdict", sentence="B: no verdict, because A failed."
    )
    assert without.details == "A failed."
    in_brackets = replace(verdict, sentence="b gives more (1.5 times).")
    assert in_brackets.details == "b gives more (1.5 times)."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("batch 8", "Batch 8"),
        ("concurrency 4", "Concurrency 4"),
        ("chunk timeout 5 s", "Chunk timeout 5 s"),
        ("vllm", "vllm"),  # names stay as they are written
        ("first", "first"),  # and is no "first token timeout 5 s"
        ("qwen3:8b", "qwen3:8b"),
    ],
)
def test_a_headline_begins_like_a_sentence_but_with_names_as_they_are(
    name: str, shown: str
) -> None:
    verdict = verdict_of(a(), b(repeats(0.5), name=name))
    assert verdict.headline.startswith(f"{shown} has 2.00×")
    assert verdict.sentence.startswith(verdict.headline)
