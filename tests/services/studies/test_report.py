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


def test_two_halves_of_a_machine_do_not_scale_and_it_says_so_first() -> None:
    found = report(HALVES, device="core")
    assert found.sentence == (
        "TP 2 gives 9.0 % less throughput than TP 1 (0.91×, 95 % 0.87–0.95, 3 repeats each) at "
        "batch 8: more cores make it slower; it does not scale here."
    )
    assert found.headline == "TP 2 gives 9.0 % less throughput than TP 1 at batch 8"
    assert found.details.startswith(
        "0.91×, 95 % 0.87–0.95, 3 repeats each. More cores make it slower"
    )
    assert "share of one CPU's cores" in found.notes[0]


def test_a_headline_has_no_number_where_nothing_can_be_told() -> None:
    found = report([cell(1), cell(1.03, tp=2)])
    assert found.headline == "It is unclear whether TP 2 is faster or slower than TP 1 at batch 4"
    assert found.details.startswith("TP 2 gives 1.03× the throughput of TP 1 (95 % ")


def test_a_device_whose_memory_was_seen_is_a_gpu() -> None:
    one = with_samples(cell(1), [Sample(0, {"gpu0_memory_bytes": 1.0})])
    found = report([one, cell(1.5, place=1, tp=2)], device="core")
    assert found.device == "GPU" and "each GPU does 75.0 % of what one alone does" in found.sentence


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([cell(1), cell(1.03, tp=2)], "no clear difference from TP 1"),
        ([cell(1, vary=(1, 1)), cell(2, tp=2, vary=(1, 1))], "no verdict, which needs 3"),
        ([cell(1), cell(2, tp=2, status="failed")], "no verdict, because this run failed"),
        ([cell(1), cell(2.6, tp=2)], "superlinear"),
        ([cell(1, vary=(1, 1, 1)), cell(1, tp=2, vary=(1, 1, 1))], "does not scale here"),
        ([cell(1), cell(2, engine=EngineConfig(eager=True))], "it is faster"),
        ([cell(1, size=1), cell(2, size=2)], "the largest size measured"),
        ([cell(1, size=1), cell(1.01, size=2)], "batch 1 is within 5.00 % of that"),
        ([cell(None, problem="Out of memory.")], "Nothing could be measured. Out of memory."),
        ([], "Nothing has been measured yet."),
    ],
)
def test_the_first_sentence_claims_no_more_than_there_is(cells: list, said: str) -> None:  # type: ignore[type-arg]
    assert said in report(cells).sentence


def test_what_failed_is_said_too() -> None:
    found = report(
        [*HALVES, cell(None, tp=8, size=8, problem="It needs 8 GPUs, and there is none.")]
    )
    assert (
        "No result for 1 of 3 cells. TP 8: It needs 8 GPUs, and there is none." in found.sentences
    )


# the law in words


def said_of(*speeds: float, vary: tuple[float, ...] = (1.0, 1.002, 0.998)) -> str:
    cells = [cell(speed, tp=2**k, vary=vary) for k, speed in enumerate(speeds)]
    (curve,) = device_curves(scaling(cells))
    return law_sentence(curve, "GPU")


def test_the_law_names_contention_and_talk_and_the_peak() -> None:
    said = said_of(*(n / (1 + 0.12 * (n - 1) + 0.007 * n * (n - 1)) for n in (1, 2, 4, 8)))
    assert "12.0 % of the work is serialized (contention, σ 0.12" in said
    assert "communication between GPUs takes 17.6 % of the time (κ 0.007" in said
    assert said.endswith("throughput peaks at about 11 GPUs.")


def test_two_sizes_say_nothing_of_talk() -> None:
    said = said_of(1, 1.5)
    assert "takes a third size" in said and "more than 3× the throughput of one" in said


@pytest.mark.parametrize(
    ("spread", "limit"),
    [
        ([{"tp": 2}, {"tp": 4}, {"tp": 8}], "1.9× the throughput of 2 of them"),
        ([{"tp": 2, "pp": n} for n in (1, 2, 4)], "2.8× the throughput of 2 of them"),
    ],
    ids=["larger tensor parallel", "stages on top of it"],
)
def test_the_law_says_devices_whatever_the_baseline_is(
    spread: list[dict[str, int]], limit: str
) -> None:
    """1/σ is 2.78 of size 1; of tensor parallel 2, which is 1.47 times that, it is 1.89."""
    sizes = [of.get("pp", of["tp"]) for of in spread]
    cells = [
        cell(n / (1 + 0.36 * (n - 1)), vary=(1.0, 1.0, 1.0), **of)
        for n, of in zip(sizes, spread, strict=True)
    ]
    (curve,) = device_curves(scaling(cells))
    said = law_sentence(curve, "GPU")
    assert " parallel over 2, 4 and 8 GPUs at " in said
    assert f"no number of GPUs gives more than {limit}" in said


def test_one_size_has_no_law() -> None:
    cells = [cell(1), cell(None, tp=2, problem="Out of memory.")]
    (curve,) = device_curves(scaling(cells))
    assert law_sentence(curve, "GPU") == ""


def test_more_than_so_many_times_one_is_called_superlinear() -> None:
    assert "superlinear" in said_of(1, 2.5, 6)


def test_few_repeats_are_described_and_no_more() -> None:
    said = said_of(1, 1.5, 1.8, vary=(1.0, 1.01))
    assert "95 %" not in said and said.endswith("3 or more repeats of each size.")


def test_a_curve_that_misses_the_means_says_so() -> None:
    assert "off that curve" in said_of(1, 1.0, 2.9, 3.0)


# the best


def firsts(cells: list, price: float | None = None) -> dict:  # type: ignore[type-arg]
    return {one.criterion.name: one for one in best(scaling(cells, price))}


def test_the_best_differs_by_what_is_wanted() -> None:
    cells = [
        cell(1, size=1),
        cell(1.2, size=1, tp=2),
        cell(8, size=16),
        cell(9.6, size=16, tp=2),
    ]
    found = firsts(cells, 2.0)
    assert set(found) == {"throughput", "latency", "cost"}  # nobody asked for objectives
    names = {name: (one.row.label, one.row.work.size) for name, one in found.items()}
    assert names == {"throughput": ("TP 2", 16), "latency": ("TP 2", 1), "cost": ("TP 1", 16)}
    assert {one.word for one in found.values()} == {"faster"}
    runner = found["throughput"].runner_up
    assert runner and (runner.label, runner.work.size) == ("TP 1", 16)


def test_a_runner_up_that_is_not_behind_is_not_said_to_be() -> None:
    found = firsts([cell(1), cell(1.02, tp=2)])["throughput"]
    assert (found.row.label, found.word) == ("TP 2", "inconclusive")
    said = report([cell(1), cell(1.02, tp=2)]).sentences
    assert any("Throughput: TP 2" in s and "no clear difference from TP 1" in s for s in said)


def test_the_best_of_many_has_to_be_further_ahead() -> None:
    """Somebody is always first: two that differ by 8 % are told apart, of seven nobody is."""
    two = [cell(1), cell(1.08, tp=2)]
    seven = [*two, *(cell(0.99, dp=n) for n in range(2, 7))]
    assert firsts(two)["throughput"].word == "faster"
    assert firsts(seven)["throughput"].word == "inconclusive"


def test_the_best_of_many_batch_sizes_has_to_be_further_ahead_too() -> None:
    sizes = [
        cell(speed * 0.9, size=n, tp=tp) for n in range(5, 9) for tp, speed in ((1, 1), (2, 1.08))
    ]
    found = firsts([cell(1), cell(1.08, tp=2), *sizes])
    assert (found["throughput"].row.work.size, found["throughput"].word) == (4, "inconclusive")
    assert found["latency"].word == "faster", "at the smallest batch alone there is one pair"


def test_objectives_count_only_where_99_per_cent_keep_them() -> None:
    limit = Objectives(e2e_s=2.0)  # of 3 s at speed 1
    cells = [
        cell(1.4, objectives=limit, vary=(1, 1, 1)),
        cell(2, tp=2, objectives=limit),
        cell(9, pp=2, objectives=limit, status="done", vary=(1, 1, 9)),
    ]
    found = firsts(cells)["objectives"]
    assert (found.row.label, found.runner_up) == ("TP 2", None)


def test_latency_is_of_the_smallest_batch_that_has_a_number() -> None:
    cells = [cell(None, size=1, problem="Out of memory."), cell(1, size=2), cell(1, size=4)]
    assert firsts(cells)["latency"].row.work.size == 2


def test_alone_it_is_the_best_of_one() -> None:
    found = firsts([cell(1)])["throughput"]
    assert (found.runner_up, found.word) == (None, "no verdict")


def test_lengths_have_a_best_each() -> None:
    cells = [
        cell(speed, tp=tp, workload="synthetic", input_tokens=n)
        for n in (128, 512)
        for tp, speed in ((1, 1.0), (2, 2.0 if n == 128 else 0.5))
    ]
    found = [one for one in best(scaling(cells)) if one.criterion.name == "throughput"]
    assert [one.row.label for one in found] == ["TP 2", "TP 1"]
    said = report(cells).sentences  # of what the first sentence is about; the table has both
    assert [s.partition(": TP")[0] for s in said if s.startswith("Throughput")] == [
        "Throughput (128 tokens in)"
    ]


# --- what was varied -----------------------------------------------------------------------------


def swept(*limits: int, **more: Any) -> Report:
    return report(
        [
            cell(1 + at, place=at, size=at_once, requests=16, concurrency=at_once, **more)
            for at, at_once in enumerate(limits)
        ]
    )


def test_a_sweep_of_concurrency_is_no_batch() -> None:
    found = swept(1, 2, 4, 16)
    assert found.varied == "Varied: concurrency (1, 2, 4, 16). 4 of 4 cells measured."
    said = " ".join((found.sentence, *found.sentences, str(all_tables(found))))
    assert "at concurrency 16, the largest size measured" in found.sentence
    assert "batch" not in said.lower()
    assert [one.title for one in all_tables(found)] == [
        "Best configuration",
        "Every cell",
        "Concurrency",
    ]


def test_the_next_is_in_the_table_only_where_there_is_one() -> None:
    alone, behind = all_tables(swept(2, 8))[0], all_tables(report([cell(1), cell(1.5, tp=2)]))[0]
    assert (alone.columns, alone.note) == (("", "Best", "Value"), "")
    assert behind.columns[3:] == ("Relative to next", "Verdict", "Next")
    assert all(len(row) == len(one.columns) for one in (alone, behind) for row in one.rows)


def test_batches_are_called_batches() -> None:
    found = report([cell(1, size=2), cell(2, size=8, place=1)])
    assert found.varied == "Varied: batch size (2, 8). 2 of 2 cells measured."
    assert "at batch 8" in found.sentence


def test_ways_of_sending_are_called_what_they_are() -> None:
    loads = ({"mode": "sequential"}, {"mode": "staggered"}, {"concurrency": 2}, {})
    found = report([cell(1 + at, place=at, size=8, **load) for at, load in enumerate(loads)])
    assert found.varied == (
        "Varied: how requests are sent (concurrency 2, concurrency 8, sequential · pause 2 s, "
        "8 requests · staggered · interval 0.06125 s). 4 of 4 cells measured."
    )


def test_nothing_else_is_only_said_where_nothing_else_was_measured() -> None:
    def alone(found: Report) -> list[str]:
        return [said for said in found.sentences if "measured" in said]

    assert all("nothing else was measured" in said for said in alone(swept(4)))
    assert swept(4).varied == "Nothing was varied. 1 of 1 cell measured."
    throughput, latency = alone(swept(1, 2, 4))
    assert "the best of 3 concurrency levels; no other configuration was measured" in throughput
    assert "the lowest of 3 concurrency levels; no other configuration was measured" in latency


@pytest.mark.parametrize(
    ("next_one", "throughput", "latency"),
    [
        (0.5, "2.00× that of TP 1 (95 % ", "50 % shorter than TP 1 (0.50×, 95 % "),
        (0.8, "25 % higher than TP 1 (1.25×, 95 % ", "20 % shorter than TP 1 (0.80×, 95 % "),
    ],
)
def test_the_next_is_behind_in_the_direction_of_the_number(
    next_one: float, throughput: str, latency: str
) -> None:
    said = report([cell(next_one), cell(1.0, tp=2, place=1)]).sentences
    assert throughput in next(one for one in said if one.startswith("Throughput"))
    assert latency in next(one for one in said if one.startswith("Latency"))
