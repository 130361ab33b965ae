"""When runs differ, when nobody can tell, and when they should not be compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.analysis.compare import COMPARED, Candidate, Comparison, InvalidComparison, compare
from services.analysis.compare.findings import FAMILY
from services.analysis.diagnostics.client import TOGETHER
from services.analysis.diagnostics.sending import RATE_MISSED
from services.analysis.objectives import Objectives
from services.ask.measurement import Measurement
from services.ask.prices import Hourly, Price
from tests.values import candidate, failed, measured, repeats


def a(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), run_id=1, name="A", **of_run)


def b(measurements: Sequence[Measurement] | None = None, **of_run: Any) -> Candidate:
    return candidate(measurements or repeats(), **{"run_id": 2, "name": "B", **of_run})


def spread(every: float) -> list[Measurement]:
    """Requests that were due every second, and sent so often."""
    measurements = []
    for m in repeats():
        late = m.index * (every - 1.0)
        measurements.append(measured(m.index, repeat=m.repeat, send=m.index * 1.0))
        measurements[-1] = replace(
            measurements[-1], t_send=m.index + late, t_last=m.index + late + 3
        )
    return measurements


def warned(*candidates: Candidate) -> list[str]:
    return [diagnostic.title for diagnostic in compare(candidates).warnings]


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
    assert row(comparison, "e2e_s_sum_of_a_repeat") == pytest.approx((3.0, 1.0))
    assert row(comparison, "output_tokens_mean") == (10.0, 10.0)
    assert row(comparison, "error_rate") == (0.0, 0.0)


def test_a_ratio_is_computed_over_repeats() -> None:
    comparison = compare([a(), b(repeats(2.0))])
    e2e = next(row for row in comparison.rows if row.metric == "e2e_s_median")
    reference, other = e2e.ratios
    assert reference is None and other is not None
    assert other.value == pytest.approx(2.0)
    assert (other.n_reference, other.n_other) == (3, 3)


def test_sums_of_repeats_with_more_requests_are_not_compared() -> None:
    def sums(*candidates: Candidate) -> tuple[Any, ...]:
        rows = compare(candidates).rows
        return next(row for row in rows if row.metric == "e2e_s_sum_of_a_repeat").ratios

    assert sums(a(), b(repeats(2.0)))[1].value == pytest.approx(2.0)
    assert sums(a(requests=4), b(requests=8)) == (None, None)


def test_there_is_no_ratio_to_an_error_rate_of_zero() -> None:
    comparison = compare([a(), b([*repeats(), failed(4)])])
    errors = next(row for row in comparison.rows if row.metric == "error_rate")
    assert errors.ratios == (None, None)
    assert errors.values == pytest.approx((0.0, 1 / 13))  # of all repeats


def test_a_metric_without_values_has_no_row() -> None:
    names = {row.metric for row in compare([a(), b()]).rows}
    assert "usd_per_million_output" not in names
    without = {"usd_per_million_output", "goodput_per_s", "slo_attainment", "session_s_median"}
    of_classes = {
        name
        for name in names_compared()
        if name.startswith(("short_", "long_", "first_", "later_"))
    }
    assert names == names_compared() - without - of_classes


def names_compared() -> set[str]:
    return {entry.name for entry in COMPARED}


def test_mixes_are_compared_by_class_without_changing_the_verdict() -> None:
    mix: dict[str, Any] = {"workload": "mixed", "requests": 4}
    comparison = compare([a(**mix), b(**mix)])
    rows = {row.metric: row for row in comparison.rows}
    assert rows["short_ttft_s_median"].label == "TTFT of short requests, median"
    for name in ("short_ttft_s_median", "long_e2e_s_median", "long_tokens_per_s_median"):
        assert rows[name].ratios[1] is not None
        assert rows[name].values == rows[name.partition("_")[2]].values  # all alike here
    assert {finding.name for finding in comparison.verdicts[0].findings} == set(FAMILY)
    beside = compare([a(**mix), b()])
    row = next(row for row in beside.rows if row.metric == "short_ttft_s_median")
    assert row.values[1] is None and row.ratios[1] is None


def test_goodput_is_compared_by_repeats() -> None:
    limits = Objectives(e2e_s=3.5)
    comparison = compare(
        [
            candidate(repeats(), None, limits, run_id=1),
            candidate(repeats(0.5), None, limits, run_id=2),
        ]
    )
    goodput = next(row for row in comparison.rows if row.metric == "goodput_per_s")
    ratio = goodput.ratios[1]
    assert ratio is not None and ratio.value == pytest.approx(2.0) and ratio.low is not None
    assert row(comparison, "slo_attainment") == (1.0, 1.0)


def test_a_price_of_an_hour_is_compared_by_repeats() -> None:
    price = Hourly(3.6)
    comparison = compare(
        [candidate(repeats(), price, run_id=1), candidate(repeats(0.5), price, run_id=2)]
    )
    cost = next(row for row in comparison.rows if row.metric == "usd_per_million_output")
    ratio = cost.ratios[1]
    assert ratio is not None and ratio.value == pytest.approx(0.5)  # half the time
    assert cost.values[0] == pytest.approx(0.003 / 20 * 1e6)  # 3 s at 0.1 cents, 20 tokens


def test_a_cost_known_for_one_run_is_shown_for_that_one() -> None:
    comparison = compare([a(), candidate(repeats(), Price(1e-6, 2e-6, ""), run_id=2)])
    cost = next(row for row in comparison.rows if row.metric == "usd_per_million_output")
    assert cost.values[0] is None
    assert cost.values[1] == pytest.approx(4.0)  # 10 in and 5 out: (10 + 10) / 5
    assert cost.ratios == (None, None)


# --- differences -------------------------------------------------------------------------------


def differences(*candidates: Candidate) -> dict[str, tuple[str, ...]]:
    return {difference.field: difference.values for difference in compare(candidates).differences}


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
def test_a_difference_is_shown_with_short_values(
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


def test_a_warning_about_eight_runs_uses_short_labels() -> None:
    name = "a name of a hundred characters ".ljust(100, "x")
    eight = [
        candidate(repeats(), run_id=i, name=name, max_tokens=128 if i % 2 else 64, seed=i)
        for i in range(11, 19)
    ]
    (diagnostic,) = compare(eight).warnings
    odd, even = (
        ", ".join(f"max tokens {most} · seed {i}" for i in range(first, 19, 2))
        for first, most in ((11, 128), (12, 64))
    )
    assert diagnostic.sentence.startswith(f"{odd}: 128; {even}: 64. Answers")
    assert name.strip() not in diagnostic.sentence


def test_counts_of_one_are_in_the_singular() -> None:
    one_prompt: dict[str, Any] = {"workload": "file", "prompts": ("x",)}
    comparison = compare([a(repeats(tokens=1), requests=1), b(requests=6, **one_prompt)])
    warnings = " ".join(diagnostic.sentence for diagnostic in comparison.warnings)
    assert "A: batch, 1 request; B: batch, 6 requests." in warnings
    assert "they have 1 token (A) and 5 tokens (B)." in warnings
    differences_found = {
        difference.field: difference.values for difference in comparison.differences
    }
    assert differences_found["prompts"] == ("–", "1 own prompt, 1 character")


def test_own_prompts_are_never_shown() -> None:
    secret = "My diary, page one."
    text: dict[str, Any] = {"workload": "text", "prompt": secret}
    file: dict[str, Any] = {"workload": "file", "prompts": (secret, secret * 2)}
    comparison = compare([a(), b(**text), candidate(repeats(), run_id=3, name="C", **file)])
    differences_found = {
        difference.field: difference.values for difference in comparison.differences
    }
    assert differences_found["prompt"] == ("–", "own text, 19 characters", "–")
    assert differences_found["prompts"] == ("–", "–", "2 own prompts, 57 characters")
    shown = f"{comparison.differences}{comparison.warnings}{comparison.verdicts}"
    assert "diary" not in shown and "Different prompts" in shown


def test_own_prompts_of_equal_length_get_distinct_labels() -> None:
    texts: list[dict[str, Any]] = [
        {"workload": "text", "prompt": prompt} for prompt in ("one", "two")
    ]
    shown = ("own text, 3 characters (no. 1)", "own text, 3 characters (no. 2)")
    assert differences(a(**texts[0]), b(**texts[1])) == {"prompt": shown}


def test_environment_differences_are_shown_except_transient_ones() -> None:
    left = {"engine": {"version": "1.2"}, "cores": 8, "load": 0.1}
    right = {"engine": {"version": "1.3"}, "cores": 8, "load": 0.9, "gpu": "H200"}
    assert differences(a(environment=left), b(environment=right)) == {
        "engine.version": ("1.2", "1.3"),
        "gpu": ("–", "H200"),
    }


# --- warnings ----------------------------------------------------------------------------------


def test_comparable_runs_raise_no_warning() -> None:
    assert warned(a(), b()) == []


@pytest.mark.parametrize(
    ("left", "right", "title"),
    [
        (a(), b(model="other"), "Different models"),
        (a(), b(dialect="completions"), "Different API formats"),
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
        (a(), b(status="interrupted"), "Not every run finished"),
        (a(status="cancelled"), b(), "Not every run finished"),
        (a(), b(client="litellm"), "Measured by different clients"),
        (a(), b(health={"cpu_share": 0.95}), "A client exceeded its limits"),
        (a(), b(repeats(coalesced_reads=1, token_times=(1.0, 2.0, 2.0, 3.0))), TOGETHER),
        (a(), b(mode="sequential"), "Different load"),
        (a(), b(requests=6), "Different load"),
        (a(spread(1.0), mode="staggered"), b(spread(1.03), mode="staggered"), RATE_MISSED),
        (
            a(),
            candidate(repeats(), None, Objectives(ttft_s=1.0), run_id=2),
            "Different objectives",
        ),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_comparison_warns_of_differences_that_make_it_unfair(
    left: Candidate, right: Candidate, title: str
) -> None:
    (diagnostic,) = compare([left, right]).warnings
    assert diagnostic.title == title
    paused = right.run.config.mode == "sequential"  # its pauses are in its throughput
    assert diagnostic.level == ("note" if title == "Different load" and not paused else "warning")
    assert diagnostic.sentence.endswith(".") and diagnostic.sentence.count(".") >= 2


def test_runs_in_two_formats_with_the_same_chat_template_get_a_note() -> None:
    (diagnostic,) = compare([a(), b(dialect="responses")]).warnings
    assert (diagnostic.level, diagnostic.title) == ("note", "Different API formats")
    assert diagnostic.sentence.startswith("A: /chat/completions; B: /responses. ")
    assert differences(a(), b(dialect="responses")) == {"dialect": ("chat", "responses")}


def test_a_comparison_of_unfinished_runs_advises_waiting() -> None:
    (diagnostic,) = compare([a(), b(status="running")]).warnings
    assert "B: running. More repeats will follow" in diagnostic.sentence


def test_the_warning_of_a_failed_run_says_why_it_failed() -> None:
    failed_run = b(status="failed")
    failed_run = replace(failed_run, run=replace(failed_run.run, error="Nothing answers there."))
    (diagnostic,) = compare([a(), failed_run]).warnings
    assert "B: failed (Nothing answers there). An incomplete repeat" in diagnostic.sentence


def test_an_import_without_a_stated_load_raises_no_load_warning() -> None:
    other = b(mode="sequential")
    silent = replace(other, run=replace(other.run, source={"tool": "x", "known": ["requests"]}))
    assert "Different load" not in warned(a(), silent)
    partly_known = replace(other, run=replace(other.run, source={"tool": "x", "known": ["mode"]}))
    assert "Different load" in warned(a(), partly_known)


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
def test_harmless_differences_raise_no_warning(left: Candidate, right: Candidate) -> None:
    assert warned(left, right) == []


def test_the_warning_of_different_loads_mentions_the_pause() -> None:
    (diagnostic,) = compare([a(mode="sequential"), b()]).warnings
    assert "include the client's own waiting (A: a pause of 2 s; B: none)" in diagnostic.sentence


# --- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 9])
def test_fewer_than_two_and_more_than_eight_runs_are_refused(count: int) -> None:
    with pytest.raises(InvalidComparison, match=f"2 to 8 runs, not {count}"):
        compare([a()] * count)


def test_a_run_without_results_can_be_compared() -> None:
    nothing = replace(b([failed()]), measurements=[failed()])
    assert compare([a(), nothing]).verdicts[0].word == "no verdict"
    assert compare([nothing, a()]).verdicts[0].word == "no verdict"


@pytest.mark.timed
def test_eight_large_runs_are_compared_while_a_person_waits() -> None:
    large = [measured(i, repeat=i % 5, send=i / 50, tokens=8) for i in range(5_000)]
    runs = [candidate(large, run_id=i, name=f"R{i}") for i in range(8)]
    began = time.perf_counter()
    assert len(compare(runs).verdicts) == 7
    assert time.perf_counter() - began < 5  # 0.3 s where nothing else runs
