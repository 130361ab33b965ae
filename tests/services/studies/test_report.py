"""What a study says first, what is best, and what it must not claim."""

from __future__ import annotations

from typing import Any

import pytest

from services.analysis.objectives import Objectives
from services.ask.measurement import Sample
from services.servers.engines import EngineConfig
from services.studies.best import best
from services.studies.curves import device_curves
from services.studies.report import Report, report
from services.studies.scaling import scaling
from services.studies.tables import all_tables
from services.studies.wording import law_sentence
from tests.values import cell, with_samples

HALVES = [cell(1, size=8), cell(0.91, tp=2, size=8)]


def test_a_slowdown_from_parallelism_is_the_first_finding() -> None:
    result = report(HALVES, device="core")
    assert result.sentence == (
        "TP 2 gives 9.0 % less throughput than TP 1 (0.91×, 95 % 0.87–0.95, 3 repeats each) at "
        "batch 8: more cores make it slower: it does not scale here."
    )
    assert result.headline == "TP 2 gives 9.0 % less throughput than TP 1 at batch 8"
    assert result.details.startswith(
        "0.91×, 95 % 0.87–0.95, 3 repeats each. More cores make it slower"
    )
    assert "share of one CPU's cores" in result.notes[0]


def test_a_headline_has_no_number_where_there_is_no_verdict() -> None:
    result = report([cell(1), cell(1.03, tp=2)])
    assert result.headline == "It is unclear whether TP 2 is faster or slower than TP 1 at batch 4"
    assert result.details.startswith("TP 2 gives 1.03× the throughput of TP 1 (95 % ")


def test_a_device_whose_memory_was_seen_is_a_gpu() -> None:
    seen = with_samples(cell(1), [Sample(0, {"gpu0_memory_bytes": 1.0})])
    result = report([seen, cell(1.5, index=1, tp=2)], device="core")
    assert (
        result.device == "GPU" and "each GPU does 75.0 % of what one alone does" in result.sentence
    )


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([cell(1), cell(1.03, tp=2)], "no clear difference from TP 1"),
        ([cell(1, vary=(1, 1)), cell(2, tp=2, vary=(1, 1))], "no verdict, which needs 3"),
        ([cell(1), cell(2, tp=2, status="failed")], "no verdict, because this run failed"),
        ([cell(1), cell(2.6, tp=2)], "superlinear"),
        ([cell(1, vary=(1, 1, 1)), cell(1, tp=2, vary=(1, 1, 1))], "does not scale here"),
        ([cell(1), cell(2, engine=EngineConfig(eager=True))], "it is faster"),
        ([cell(1, size=1), cell(2, size=2)], "the largest batch size measured"),
        ([cell(1, size=1), cell(1.01, size=2)], "batch 1 is within 5 % of that"),
        ([cell(2, size=1), cell(1, size=2)], "at batch 1; a larger batch size gives no more."),
        ([cell(None, problem="Out of memory.")], "Nothing could be measured. Out of memory."),
        ([], "Nothing has been measured yet."),
    ],
)
def test_the_first_sentence_claims_only_what_was_measured(cells: list, sentence: str) -> None:  # type: ignore[type-arg]
    assert sentence in report(cells).sentence


def test_cells_without_a_result_are_reported() -> None:
    result = report(
        [*HALVES, cell(None, tp=8, size=8, problem="It needs 8 GPUs, and there is none.")]
    )
    assert (
        "No result for 1 of 3 cells. TP 8: It needs 8 GPUs, and there is none." in result.sentences
    )


# the law in words


def law_of(*speeds: float, vary: tuple[float, ...] = (1.0, 1.002, 0.998)) -> str:
    cells = [cell(speed, tp=2**k, vary=vary) for k, speed in enumerate(speeds)]
    (curve,) = device_curves(scaling(cells))
    return law_sentence(curve, "GPU")


def test_the_law_names_contention_and_communication_and_the_peak() -> None:
    text = law_of(*(n / (1 + 0.12 * (n - 1) + 0.007 * n * (n - 1)) for n in (1, 2, 4, 8)))
    assert "12.0 % of the work is serialized (contention, σ 0.12" in text
    assert "communication between GPUs takes 17.6 % of the time (κ 0.007" in text
    assert text.endswith("throughput peaks at about 11 GPUs.")


@pytest.mark.parametrize(
    ("sigma", "kappa", "within"),
    [(0.02, 0.006, True), (0.02, 0.0005, False), (0.2, 0, True), (0.01, 0, False)],
    ids=["peak at 13", "peak at 44", "limit of 5", "limit of 100"],
)
def test_a_limit_far_beyond_the_sizes_measured_is_not_stated(
    sigma: float, kappa: float, within: bool
) -> None:
    """Measured to 8 GPUs, which give at most 7.5 times the throughput of one."""
    sizes = (1, 2, 4, 8)
    speeds = [n / (1 + sigma * (n - 1) + kappa * n * (n - 1)) for n in sizes]
    text = law_of(*speeds)
    assert ("Extrapolated by" in text or "throughput peaks" in text) == within


def test_two_sizes_say_nothing_about_communication() -> None:
    text = law_of(1, 1.4)
    assert "requires a third size" in text and "more than 2.3× the throughput of one" in text


@pytest.mark.parametrize(
    ("spread", "limit"),
    [
        ([{"tp": 2}, {"tp": 4}, {"tp": 8}], "1.9× the throughput of 2 of them"),
        ([{"tp": 2, "pp": n} for n in (1, 2, 4)], "2.8× the throughput of 2 of them"),
    ],
    ids=["larger tensor parallel", "stages on top of it"],
)
def test_the_law_counts_devices_for_any_baseline(spread: list[dict[str, int]], limit: str) -> None:
    """1/σ is 2.78 of size 1; of tensor parallel 2, which is 1.47 times that, it is 1.89."""
    sizes = [of.get("pp", of["tp"]) for of in spread]
    cells = [
        cell(n / (1 + 0.36 * (n - 1)), vary=(1.0, 1.0, 1.0), **of)
        for n, of in zip(sizes, spread, strict=True)
    ]
    (curve,) = device_curves(scaling(cells))
    text = law_sentence(curve, "GPU")
    assert " parallel over 2, 4 and 8 GPUs at " in text
    assert f"no number of GPUs gives more than {limit}" in text


def test_one_size_has_no_law() -> None:
    cells = [cell(1), cell(None, tp=2, problem="Out of memory.")]
    (curve,) = device_curves(scaling(cells))
    assert law_sentence(curve, "GPU") == ""


def test_a_speed_up_above_the_number_of_devices_is_called_superlinear() -> None:
    assert "superlinear" in law_of(1, 2.5, 6)


def test_few_repeats_are_described_without_a_claim() -> None:
    text = law_of(1, 1.5, 1.8, vary=(1.0, 1.01))
    assert "95 %" not in text and text.endswith("3 or more repeats of each size.")


def test_a_curve_that_misses_the_means_is_reported() -> None:
    assert "off that curve" in law_of(1, 1.0, 2.9, 3.0)


# the best


def firsts(cells: list, price: float | None = None) -> dict:  # type: ignore[type-arg]
    return {best_cell.criterion.name: best_cell for best_cell in best(scaling(cells, price))}


def test_each_criterion_has_its_own_best_cell() -> None:
    cells = [
        cell(1, size=1),
        cell(1.2, size=1, tp=2),
        cell(8, size=16),
        cell(9.6, size=16, tp=2),
    ]
    first_by_criterion = firsts(cells, 2.0)
    assert set(first_by_criterion) == {
        "throughput",
        "latency",
        "cost",
    }  # no objectives were given
    names = {
        name: (entry.row.label, entry.row.work.size) for name, entry in first_by_criterion.items()
    }
    assert names == {"throughput": ("TP 2", 16), "latency": ("TP 2", 1), "cost": ("TP 1", 16)}
    assert {entry.word for entry in first_by_criterion.values()} == {"faster"}
    runner = first_by_criterion["throughput"].runner_up
    assert runner and (runner.label, runner.work.size) == ("TP 1", 16)


def test_a_runner_up_without_a_clear_difference_is_reported_as_such() -> None:
    throughput = firsts([cell(1), cell(1.02, tp=2)])["throughput"]
    assert (throughput.row.label, throughput.word) == ("TP 2", "inconclusive")
    sentences = report([cell(1), cell(1.02, tp=2)]).sentences
    assert any("Throughput: TP 2" in s and "no clear difference from TP 1" in s for s in sentences)


def test_the_best_of_many_has_to_be_further_ahead() -> None:
    """Something is always first: 8 % tells two cells apart, but not seven."""
    two = [cell(1), cell(1.08, tp=2)]
    seven = [*two, *(cell(0.99, dp=n) for n in range(2, 7))]
    assert firsts(two)["throughput"].word == "faster"
    assert firsts(seven)["throughput"].word == "inconclusive"


def test_the_best_of_many_batch_sizes_has_to_be_further_ahead_too() -> None:
    sizes = [
        cell(speed * 0.9, size=n, tp=tp) for n in range(5, 9) for tp, speed in ((1, 1), (2, 1.08))
    ]
    throughput = firsts([cell(1), cell(1.08, tp=2), *sizes])
    assert (throughput["throughput"].row.work.size, throughput["throughput"].word) == (
        4,
        "inconclusive",
    )
    assert throughput["latency"].word == "faster", "at the smallest batch alone there is one pair"


def test_objectives_count_only_where_99_per_cent_keep_them() -> None:
    limit = Objectives(e2e_s=2.0)  # of 3 s at speed 1
    cells = [
        cell(1.4, objectives=limit, vary=(1, 1, 1)),
        cell(2, tp=2, objectives=limit),
        cell(9, pp=2, objectives=limit, status="done", vary=(1, 1, 9)),
    ]
    objectives = firsts(cells)["objectives"]
    assert (objectives.row.label, objectives.runner_up) == ("TP 2", None)


def test_the_best_latency_is_that_of_the_smallest_measured_batch() -> None:
    cells = [cell(None, size=1, problem="Out of memory."), cell(1, size=2), cell(1, size=4)]
    assert firsts(cells)["latency"].row.work.size == 2


def test_a_single_cell_is_the_best_of_one() -> None:
    throughput = firsts([cell(1)])["throughput"]
    assert (throughput.runner_up, throughput.word) == (None, "no verdict")


def test_each_prompt_length_has_its_own_best_cell() -> None:
    cells = [
        cell(speed, tp=tp, workload="synthetic", input_tokens=n)
        for n in (128, 512)
        for tp, speed in ((1, 1.0), (2, 2.0 if n == 128 else 0.5))
    ]
    entries = [entry for entry in best(scaling(cells)) if entry.criterion.name == "throughput"]
    assert [entry.row.label for entry in entries] == ["TP 2", "TP 1"]
    sentences = report(cells).sentences  # of what the first sentence is about; the table has both
    assert [s.partition(": TP")[0] for s in sentences if s.startswith("Throughput")] == [
        "Throughput (128 tokens in)"
    ]


# --- what was varied -----------------------------------------------------------------------------


def swept(*limits: int, **more: Any) -> Report:
    return report(
        [
            cell(1 + at, index=at, size=at_once, requests=16, concurrency=at_once, **more)
            for at, at_once in enumerate(limits)
        ]
    )


def test_a_sweep_of_concurrency_is_no_batch() -> None:
    result = swept(1, 2, 4, 16)
    assert result.varied == "Varied: concurrency (1, 2, 4, 16). 4 of 4 cells measured."
    text = " ".join((result.sentence, *result.sentences, str(all_tables(result))))
    assert "at concurrency 16, the highest concurrency measured" in result.sentence
    assert "batch" not in text.lower()
    assert [table.title for table in all_tables(result)] == [
        "Best configuration",
        "Every cell",
        "Concurrency",
    ]


def test_runner_up_columns_are_shown_only_if_there_is_one() -> None:
    alone, behind = all_tables(swept(2, 8))[0], all_tables(report([cell(1), cell(1.5, tp=2)]))[0]
    assert (alone.columns, alone.note) == (("", "Best", "Value"), "")
    assert behind.columns[3:] == ("Ratio to runner-up", "Verdict", "Runner-up")
    assert {row[4] for row in behind.rows} == {"better"}
    assert all(len(row) == len(table.columns) for table in (alone, behind) for row in table.rows)


def test_a_study_that_goes_on_does_not_say_where_throughput_stops_rising() -> None:
    measured = [cell(1, size=1), cell(1.0, index=1, size=2)]
    under_way = report([*measured, cell(None, index=2, size=4)])
    assert under_way.headline == (
        "So far, after 2 of 3 cells: TP 1 gives 6.67 tokens/s (95 % 6.34–7.01), at batch 1; more "
        "is being measured."
    )
    assert under_way.sentence == under_way.headline
    (batches,) = [table for table in all_tables(under_way) if table.columns[-1] == "Saturated"]
    (every,) = [table for table in all_tables(under_way) if table.title == "Every cell"]
    assert "Problem" not in every.columns and "A row of dashes has not been" in every.note
    assert set(every.rows[-1][1:]) == {"–"}
    assert batches.rows[0][-1] == "not known yet"
    ended = report([*measured, cell(None, index=2, size=4, problem="It ran out of memory.")])
    assert ended.headline.endswith("a larger batch size gives no more.")


def test_a_varied_batch_size_is_called_batch_size() -> None:
    result = report([cell(1, size=2), cell(2, size=8, index=1)])
    assert result.varied == "Varied: batch size (2, 8). 2 of 2 cells measured."
    assert "at batch 8" in result.sentence


def test_modes_are_called_by_their_names() -> None:
    loads = ({"mode": "sequential"}, {"mode": "staggered"}, {"concurrency": 2}, {})
    result = report([cell(1 + at, index=at, size=8, **load) for at, load in enumerate(loads)])
    assert result.varied == (
        "Varied: how requests are sent (batch 2, batch 8, sequential · pause 2 s, "
        "8 requests · staggered · interval 0.06125 s). 4 of 4 cells measured."
    )


def test_nothing_else_was_measured_is_said_only_of_a_single_cell() -> None:
    def measured_alone(result: Report) -> list[str]:
        return [sentence for sentence in result.sentences if "measured" in sentence]

    assert all("nothing else was measured" in said for said in measured_alone(swept(4)))
    assert swept(4).varied == "Nothing was varied. 1 of 1 cell measured."
    throughput, latency = measured_alone(swept(1, 2, 4))
    assert "the best of 3 concurrency levels; no other configuration was measured" in throughput
    assert "the lowest of 3 concurrency levels; no other configuration was measured" in latency


@pytest.mark.parametrize(
    ("next_one", "throughput", "latency"),
    [
        (0.5, "2.00× that of TP 1 (95 % ", "50 % shorter than TP 1 (0.50×, 95 % "),
        (0.8, "25 % higher than TP 1 (1.25×, 95 % ", "20 % shorter than TP 1 (0.80×, 95 % "),
    ],
)
def test_a_runner_up_is_described_in_the_direction_of_the_metric(
    next_one: float, throughput: str, latency: str
) -> None:
    result = report([cell(next_one), cell(1.0, tp=2, index=1)])
    sentences = result.sentences
    assert throughput in next(
        sentence for sentence in sentences if sentence.startswith("Throughput")
    )
    assert latency in next(sentence for sentence in sentences if sentence.startswith("Latency"))
    ratios = {row[0].split()[0]: row[3].partition("×")[0] for row in all_tables(result)[0].rows}
    assert ratios == {"Throughput": f"{1 / next_one:.2f}", "Latency": f"{next_one:.2f}"}
