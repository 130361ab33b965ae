"""The rows directly below a verdict: the baseline's number, the run's own, their ratio."""

from __future__ import annotations

from collections.abc import Sequence

from services.analysis.compare import Candidate, compare
from services.report.export import export
from services.report.verdict_figures import overview, table, verdict_figures
from tests.values import candidate, measured, repeats


def test_a_pair_is_one_row_with_its_interval() -> None:
    found = compare([candidate(repeats(), name="A"), candidate(repeats(0.5), run_id=2, name="B")])
    (figures,) = verdict_figures(found)
    assert (figures.baseline_label, figures.baseline_value) == ("A", "6.67 tokens/s")
    assert (figures.label, figures.value) == ("B", "13.3 tokens/s")
    assert (figures.measure, figures.ratio, figures.interval) == (
        "Output throughput",
        "2.00×",
        "1.91–2.09",
    )
    assert figures.verdict_with_interval == "▲ faster (95 % 1.91–2.09)"
    assert figures.verdict_with_ratio == "▲ faster, 2.00× (1.91–2.09)"


def test_a_time_is_worse_where_it_is_longer() -> None:
    pair = [
        candidate(repeats(slower), run_id=n, name=name, mode="sequential", pause_s=0)
        for n, (name, slower) in enumerate((("A", 1.0), ("B", 2.0)), 1)
    ]
    (figures,) = verdict_figures(compare(pair))
    assert figures.measure == "E2E latency, median"
    assert figures.verdict_with_ratio == "▼ slower, 2.00× (1.91–2.09)"


def test_several_runs_have_a_row_each_and_the_baseline_one() -> None:
    runs = [
        candidate(repeats(slower), run_id=n, name=f"run at {slower}")
        for n, slower in enumerate((1.0, 0.5, 2.0), 1)
    ]
    found = compare(runs)
    shown = table(verdict_figures(found), found)
    assert shown.columns[1:] == (
        "Verdict (95 % interval)",
        "Output throughput",
        "Tokens/s per request, ratio",
    )
    assert [row[0] for row in shown.rows] == ["run at 1.0 (baseline)", "run at 0.5", "run at 2.0"]
    assert shown.rows[2][1:] == (
        "▼ slower, 0.50× (0.48–0.52)",
        "3.33 tokens/s",
        "▼ 0.50× (0.48–0.52)",
    )
    assert overview(verdict_figures(found), found) == (
        "Run at 0.5 has 2.00× the output throughput of run at 1.0; of 2 runs, 1 is faster and 1 is "
        "slower, at 0.50× to 2.00×"
    )


def test_the_overview_begins_with_the_fastest_of_several_or_says_that_there_is_none() -> None:
    slow, same, fast, faster = (
        candidate(repeats(slower), run_id=n, name=name)
        for n, (name, slower) in enumerate(
            (("slow", 2.0), ("same", 1.0), ("fast", 0.5), ("faster", 0.25)), 1
        )
    )
    found = compare([same, slow, fast, faster])
    assert overview(verdict_figures(found), found).startswith("faster has 4.00× the output")
    none = compare([faster, same, slow])
    assert overview(verdict_figures(none), none) == (
        "No run is measurably faster than faster; both compared runs are slower by output "
        "throughput, at 0.12× to 0.25×"
    )


def test_the_overview_of_runs_that_trade_speed_for_throughput_counts_both() -> None:
    loads = [
        [
            measured(i, repeat=r, ttft=0.1, e2e=each * (1 + r / 1e3))
            for r in range(5)
            for i in range(n)
        ]
        for n, each in ((4, 3.0), (16, 6.0), (32, 9.0))
    ]
    found = compare([candidate(rows, run_id=n, name=f"run {n}") for n, rows in enumerate(loads, 1)])
    text = overview(verdict_figures(found), found)
    assert text.startswith("Run 3 gives 2.67× the throughput of run 1, but 67 % fewer tokens/s")
    assert text.endswith("; by tokens/s per request, 2 are slower")


def test_runs_that_different_measures_decide_name_theirs() -> None:
    runs = [
        candidate(repeats(), run_id=1, name="A"),
        candidate(repeats(0.5), run_id=2, name="B"),
        candidate(repeats(0.5), run_id=3, name="C", mode="staggered", interval_s=0.1),
    ]
    found = compare(runs)
    assert table(verdict_figures(found), found).columns[-1] == "Measure"
    assert [row[-1] for row in table(verdict_figures(found), found).rows] == [
        "Output throughput",
        "Tokens/s per request, median",
    ]
    assert overview(verdict_figures(found), found) == "2 runs against A: 2 are faster"


def test_without_a_verdict_no_ratio_is_summed_up() -> None:
    runs = [candidate([measured(0)], run_id=n, name=f"run {n}") for n in (1, 2, 3)]
    found = compare(runs)
    assert overview(verdict_figures(found), found) == "2 runs against run 1: no verdict"


def test_a_ratio_that_is_not_that_of_the_numbers_is_explained() -> None:
    def run(run_id: int, times: Sequence[float]) -> Candidate:
        rows = [measured(0, repeat=r, e2e=each) for r, each in enumerate(times)]
        return candidate(rows, run_id=run_id, name=f"R{run_id}")

    steady, varied = (1.0, 1.0, 1.0), (0.4, 1.0, 2.5)
    (alike,) = verdict_figures(compare([run(1, steady), run(2, steady)]))
    (unlike,) = verdict_figures(compare([run(1, steady), run(2, varied)]))
    assert alike.note == ""
    shared = export("page.html").write([run(1, steady), run(2, varied)]).decode()
    assert unlike.note in shared, "the page that is shared says so, too"
    assert unlike.ratio == "1.00×" and "that of the two numbers is 1.30×." in unlike.note
