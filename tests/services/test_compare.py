"""When runs differ, when nobody can tell, and when they should not be compared."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.compare import COMPARED, Candidate, Comparison, InvalidComparison, compare
from services.compare.verdicts import times
from services.measurement import Measurement
from services.prices import Price
from tests.values import candidate, failed, measured

STEADY = (1.00, 1.02, 0.98)  # how the repeats of a run vary


def repeats(
    slower: float = 1.0, vary: Sequence[float] = STEADY, **changes: Any
) -> list[Measurement]:
    """Four requests a repeat, each repeat longer or shorter by its factor."""
    return [
        measured(i, repeat=r, ttft=1.0 * slower * f, e2e=3.0 * slower * f, **changes)
        for r, f in enumerate(vary)
        for i in range(4)
    ]


def a(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), run_id=1, name="A", **of_run)


def b(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), **{"run_id": 2, "name": "B", **of_run})


def verdict(reference: Candidate, other: Candidate) -> tuple[str, str]:
    (found,) = compare([reference, other]).verdicts
    assert found.run_id == other.run.id
    return found.word, found.sentence


def warned(*candidates: Candidate) -> list[str]:
    return [doubt.title for doubt in compare(candidates).warnings]


def row(comparison: Comparison, name: str) -> tuple[float | None, ...]:
    return next(row for row in comparison.rows if row.metric == name).values


# --- rows --------------------------------------------------------------------------------------


def test_rows_are_means_over_repeats_by_hand() -> None:
    runs = [measured(0, e2e=2.0, tokens=10), measured(0, repeat=1, e2e=4.0, tokens=10)]
    comparison = compare([a(runs), b([measured(0, e2e=1.0, ttft=0.5, tokens=10)])])
    assert row(comparison, "output_tokens_per_s") == pytest.approx(((5.0 + 2.5) / 2, 10.0))
    assert row(comparison, "requests_per_s") == pytest.approx(((0.5 + 0.25) / 2, 1.0))
    assert row(comparison, "e2e_s_median") == pytest.approx((3.0, 1.0))
    assert row(comparison, "ttft_s_median") == pytest.approx((1.0, 0.5))
    assert row(comparison, "total_e2e_s") == pytest.approx((3.0, 1.0))
    assert row(comparison, "output_tokens_mean") == (10.0, 10.0)
    assert row(comparison, "error_rate") == (0.0, 0.0)


def test_a_ratio_is_by_repeats_however_many_requests_they_hold() -> None:
    comparison = compare([a(), b(repeats(2.0))])
    e2e = next(row for row in comparison.rows if row.metric == "e2e_s_median")
    reference, other = e2e.ratios
    assert reference is None and other is not None
    assert other.value == pytest.approx(2.0)
    assert (other.n_reference, other.n_other) == (3, 3)


def test_there_is_no_ratio_to_an_error_rate_of_zero() -> None:
    comparison = compare([a(), b([*repeats(), failed(4)])])
    errors = next(row for row in comparison.rows if row.metric == "error_rate")
    assert errors.ratios == (None, None)
    assert errors.values == pytest.approx((0.0, (1 / 5) / 3))


def test_a_measure_that_no_run_has_has_no_row() -> None:
    names = {row.metric for row in compare([a(), b()]).rows}
    assert "usd_per_million_output" not in names
    assert names == {entry.name for entry in COMPARED} - {"usd_per_million_output"}


def test_a_cost_known_for_one_run_is_shown_for_that_one() -> None:
    comparison = compare([a(), candidate(repeats(), Price(1e-6, 2e-6, ""), run_id=2)])
    cost = next(row for row in comparison.rows if row.metric == "usd_per_million_output")
    assert cost.values[0] is None
    assert cost.values[1] == pytest.approx(4.0)  # 10 in and 5 out: (10 + 10) / 5
    assert cost.ratios == (None, None)


# --- verdicts ----------------------------------------------------------------------------------


def test_a_clear_difference_is_said_with_its_interval() -> None:
    word, sentence = verdict(a(), b(repeats(0.5)))
    assert word == "faster"
    assert sentence.startswith(
        "B: output throughput 2.00 times the reference's, 95 % interval 1.91–2.09, 3 repeats each. "
        "By output throughput it is faster than the reference. Also: E2E latency (median) 0.50 "
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
def test_the_word_follows_the_direction_in_every_mode(slower: float, word: str, mode: str) -> None:
    found, sentence = verdict(a(mode=mode), b(repeats(slower), mode=mode))
    assert found == word
    decides = "E2E latency (median)" if mode == "sequential" else "output throughput"
    assert f"By {decides}" in sentence


def test_no_difference_is_an_answer_that_says_what_could_have_been_seen() -> None:
    _, sentence = verdict(a(), b(repeats(1.001)))
    assert "inconclusive: these repeats cannot tell a difference under about 4." in sentence


@pytest.mark.parametrize(
    ("left", "right", "now"), [(1, 1, "1 repeat each"), (2, 3, "3 repeats to")]
)
def test_under_three_repeats_a_side_there_is_a_ratio_and_no_verdict(
    left: int, right: int, now: str
) -> None:
    word, sentence = verdict(a(repeats(vary=STEADY[:left])), b(repeats(0.5, STEADY[:right])))
    assert word == "no verdict"
    assert "within this run only: 3 or more repeats of each run allow a verdict" in sentence
    assert now in sentence


def test_runs_that_fail_differently_get_no_verdict_on_latency() -> None:
    failing = [*repeats(0.5), *(failed(9, repeat=r) for r in range(3))]
    word, sentence = verdict(a(), b(failing))
    assert word == "faster"  # throughput counts what came, and the time that failures took
    assert sentence.count("no verdict: the error rates are 0 % and 20.0 %") == 2
    sequential = verdict(a(mode="sequential"), b(failing, mode="sequential"))
    assert sequential[0] == "no verdict"
    assert "No verdict on latency" in sequential[1]


def test_without_token_counts_there_is_no_verdict_on_throughput() -> None:
    word, sentence = verdict(a(), b(repeats(output_tokens=None, token_source="unknown")))
    assert word == "no verdict"
    assert "output throughput is not known for both runs" in sentence


def test_several_measures_together_need_clearer_differences() -> None:
    # p of the throughput alone is under 5 %; the two latencies show nothing.
    tokens = (100, 102, 98)
    left = [measured(r, repeat=r, tokens=n) for r, n in enumerate(tokens)]
    right = [measured(r, repeat=r, tokens=n) for r, n in enumerate((105, 107, 103))]
    comparison = compare([a(left), b(right)])
    ratio = comparison.rows[0].ratios[1]
    assert ratio is not None and ratio.p is not None and 0.02 < ratio.p < 0.05
    assert comparison.verdicts[0].word == "inconclusive"
    assert "tested together (Holm)" in comparison.verdicts[0].sentence


def test_every_other_run_has_its_verdict_in_order() -> None:
    others = [candidate(repeats(s), run_id=i, name=f"R{i}") for i, s in ((7, 0.5), (5, 2.0))]
    found = compare([a(), *others]).verdicts
    assert [(v.run_id, v.word) for v in found] == [(7, "faster"), (5, "slower")]


def test_runs_of_one_name_are_told_apart() -> None:
    same = [candidate(repeats(s), run_id=i, name="A") for i, s in ((7, 0.5), (5, 2.0))]
    first, second = compare([a(), *same]).verdicts
    assert first.sentence.startswith("A (run 7): ") and second.sentence.startswith("A (run 5): ")


@pytest.mark.parametrize(
    ("value", "text"), [(1.416, "1.42"), (14.16, "14.2"), (310.4, "310"), (0.0042, "0.0042")]
)
def test_a_ratio_is_written_in_as_many_digits_as_one_reads(value: float, text: str) -> None:
    assert times(value) == text


# --- differences -------------------------------------------------------------------------------


def differences(*candidates: Candidate) -> dict[str, tuple[str, ...]]:
    return {found.field: found.values for found in compare(candidates).differences}


def test_runs_of_one_config_have_no_differences() -> None:
    assert differences(a(), b()) == {}


@pytest.mark.parametrize(
    ("field", "left", "right", "values"),
    [
        ("concurrency", None, 4, ("not set", "4")),
        ("max_tokens", 128, 256, ("128", "256")),
        ("temperature", 0.0, 0.7, ("0", "0.7")),
        ("timeout_s", 300, 60, ("300 s", "60 s")),
        ("ignore_eos", False, True, ("no", "yes")),
        ("model", "x" * 70 + "a", "x" * 70 + "b", (f"{'x' * 59}… (no. 1)", f"{'x' * 59}… (no. 2)")),
    ],
)
def test_a_difference_is_shown_short(
    field: str, left: Any, right: Any, values: tuple[str, str]
) -> None:
    assert differences(a(**{field: left}), b(**{field: right})) == {field: values}


def test_a_field_that_a_mode_does_not_read_is_not_a_difference() -> None:
    assert differences(a(pause_s=1.0), b(pause_s=2.0)) == {}
    assert differences(a(), b(mode="sequential")) == {
        "mode": ("batch", "sequential"),
        "pause_s": ("–", "2 s"),
        "concurrency": ("not set", "–"),
    }


def test_eight_runs_with_long_names_are_warned_of_in_short() -> None:
    name = "a name of a hundred characters ".ljust(100, "x")
    eight = [
        candidate(repeats(), run_id=i, name=name, max_tokens=128 if i % 2 else 64, seed=i)
        for i in range(11, 19)
    ]
    (doubt,) = compare(eight).warnings
    assert doubt.sentence.startswith("#11, #13, #15, #17: 128; #12, #14, #16, #18: 64. Answers")
    assert name.strip() not in doubt.sentence


def test_one_is_not_called_several() -> None:
    one: dict[str, Any] = {"workload": "file", "prompts": ("x",)}
    comparison = compare([a(repeats(tokens=1), requests=1), b(requests=6, **one)])
    said = " ".join(doubt.sentence for doubt in comparison.warnings)
    assert "#1: batch, 1 request; #2: batch, 6 requests." in said
    assert "#1: 1 token; #2: 5 tokens." in said
    found = {difference.field: difference.values for difference in comparison.differences}
    assert found["prompts"] == ("–", "1 own prompt, 1 character")


def test_own_prompts_are_never_shown() -> None:
    secret = "My diary, page one."
    text: dict[str, Any] = {"workload": "text", "prompt": secret}
    file: dict[str, Any] = {"workload": "file", "prompts": (secret, secret * 2)}
    comparison = compare([a(), b(**text), candidate(repeats(), run_id=3, name="C", **file)])
    found = {difference.field: difference.values for difference in comparison.differences}
    assert found["prompt"] == ("–", "own text, 19 characters", "–")
    assert found["prompts"] == ("–", "–", "2 own prompts, 57 characters")
    shown = f"{comparison.differences}{comparison.warnings}{comparison.verdicts}"
    assert "diary" not in shown and "Different prompts" in shown


def test_own_prompts_of_one_length_are_told_apart() -> None:
    texts: list[dict[str, Any]] = [
        {"workload": "text", "prompt": prompt} for prompt in ("one", "two")
    ]
    shown = ("own text, 3 characters (no. 1)", "own text, 3 characters (no. 2)")
    assert differences(a(**texts[0]), b(**texts[1])) == {"prompt": shown}


def test_surroundings_that_differ_are_shown_and_passing_ones_are_not() -> None:
    left = {"engine": {"version": "1.2"}, "cores": 8, "load": 0.1}
    right = {"engine": {"version": "1.3"}, "cores": 8, "load": 0.9, "gpu": "H200"}
    assert differences(a(environment=left), b(environment=right)) == {
        "engine.version": ("1.2", "1.3"),
        "gpu": ("–", "H200"),
    }


# --- warnings ----------------------------------------------------------------------------------


def test_like_runs_are_compared_without_a_warning() -> None:
    assert warned(a(), b()) == []


@pytest.mark.parametrize(
    ("left", "right", "title"),
    [
        (a(), b(model="other"), "Different models"),
        (a(), b(unique_prompts=False), "Different prompts"),
        (a(), b(workload="synthetic"), "Different prompts"),
        (
            a(workload="synthetic", input_tokens=8),
            b(workload="synthetic", input_tokens=9),
            "Different prompts",
        ),
        (a(), b(repeats(prompt_tokens=11)), "Prompts of different length"),
        (a(), b(repeats(output_tokens=6)), "Answers of different length"),
        (a(), b(max_tokens=64), "Different token limits"),
        (a(), b(temperature=0.7), "Different sampling"),
        (a(), b(ignore_eos=True), "Different sampling"),
        (a(temperature=0.7, seed=1), b(temperature=0.7, seed=2), "Different sampling"),
        (a(), b(repeats(token_source="tokenizer")), "Tokens were counted in different ways"),
        (a(), b(repeats(cached_tokens=5)), "Prompts came from a cache"),
        (a(), b([*repeats(), failed(9)]), "Different error rates"),
        (a(environment={"cpu": "x"}), b(environment={"cpu": "y"}), "Different machines"),
        (a(), b(status="interrupted"), "Not every run was measured to its end"),
        (a(status="cancelled"), b(), "Not every run was measured to its end"),
        (a(), b(client="litellm"), "Measured by different clients"),
        (a(), b(health={"cpu_share": 0.95}), "A client was past its limits"),
        (a(), b(mode="sequential"), "Different load"),
        (a(), b(requests=6), "Different load"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_makes_a_comparison_unfair_is_said(
    left: Candidate, right: Candidate, title: str
) -> None:
    (doubt,) = compare([left, right]).warnings
    assert doubt.title == title
    assert doubt.level == ("note" if title == "Different load" else "warning")
    assert doubt.sentence.endswith(".") and doubt.sentence.count(".") >= 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (a(), b(seed=5)),  # without chance a seed changes nothing
        (a(), b(pause_s=9.0)),  # not read in this mode
        (a(), b(repeats(cached_tokens=None))),
        (a(environment={"cpu": "x"}), b()),  # not known is not different
        (a(repeats(output_tokens=100)), b(repeats(output_tokens=104))),
    ],
    ids=["seed", "pause", "cache unknown", "machine unknown", "lengths close"],
)
def test_what_does_no_harm_is_not_warned_of(left: Candidate, right: Candidate) -> None:
    assert warned(left, right) == []


def test_a_pause_is_said_to_count_where_loads_differ() -> None:
    (doubt,) = compare([a(mode="sequential"), b()]).warnings
    assert "Throughput counts the pauses" in doubt.sentence


# --- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 9])
def test_fewer_than_two_and_more_than_eight_runs_are_refused(count: int) -> None:
    with pytest.raises(InvalidComparison, match=f"2 to 8 runs, and {count} were chosen"):
        compare([a()] * count)


def test_a_run_of_which_nothing_came_can_be_compared() -> None:
    nothing = replace(b([failed()]), measurements=[failed()])
    word, _ = verdict(a(), nothing)
    assert word == "no verdict"
    assert compare([nothing, a()]).verdicts[0].word == "no verdict"


def test_eight_large_runs_are_compared_while_a_person_waits() -> None:
    large = [measured(i, repeat=i % 5, send=i / 50, tokens=8) for i in range(5_000)]
    runs = [candidate(large, run_id=i, name=f"R{i}") for i in range(8)]
    began = time.perf_counter()
    assert len(compare(runs).verdicts) == 7
    assert time.perf_counter() - began < 5  # 0.3 s where nothing else runs
