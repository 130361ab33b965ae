"""A leaderboard: its ranks as texts, its front as a chart, and what it says against itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.analysis.pareto import LeaderboardEntry, leaderboard_entry
from services.report import theme
from services.report.charts import spec
from services.report.charts.pareto import pareto
from services.report.leaderboard import differences_note, leaderboard, pareto_front_ids

RUNS = [
    LeaderboardEntry(1, "concurrency 1", 80.0, 80.0, 8.0),
    LeaderboardEntry(2, "concurrency 8", 50.0, 400.0, 2.0),
    LeaderboardEntry(3, "dominated", 40.0, 300.0, 3.0),
    LeaderboardEntry(4, "unknown", None, 500.0, None),
]


def drawn(against: Any, runs: list[LeaderboardEntry] = RUNS, **more: Any) -> dict[str, Any]:
    chart = pareto(runs, against, **more)
    assert chart is not None
    chart.to_dict()  # valid
    return spec(chart)


@pytest.mark.parametrize("against", ["throughput", "price"])
def test_the_runs_on_the_pareto_front_are_drawn_with_their_names(against: str) -> None:
    shown = drawn(against)
    rows = {row["run"]: row for row in shown["datasets"]["dots"]}
    assert {name for name, row in rows.items() if row["on_front"]} == {
        "concurrency 1",
        "concurrency 8",
    }
    assert [row["run"] for row in shown["datasets"]["front"]] == ["concurrency 8", "concurrency 1"]
    assert "Not shown: 1 run without these numbers." in " ".join(shown["title"]["subtitle"])
    assert not any("url" in row for row in rows.values()), "a file has no run to lead to"


def test_dots_lead_to_their_runs() -> None:
    shown = drawn("throughput", links=True)
    urls = {row["run"]: row["url"] for row in shown["datasets"]["dots"]}
    assert urls == {each.label: f"/result?run={each.run_id}" for each in RUNS[:3]}
    linked = [layer for layer in shown["layer"] if "href" in layer["encoding"]]
    assert len(linked) == 2


def test_the_front_does_not_cross_the_names() -> None:
    layers = [layer for layer in drawn("throughput")["layer"] if layer["mark"]["type"] == "text"]
    halo, label = (layer["mark"] for layer in layers)
    assert halo["stroke"] == theme.palette(False).paper
    assert "stroke" not in label


def test_dots_have_their_ranks_and_where_there_is_room_their_names() -> None:
    rows = {row["run"]: row for row in drawn("throughput", by="speed")["datasets"]["dots"]}
    assert {name: (row["narrow"], row["wide"]) for name, row in rows.items()} == {
        "concurrency 1": ("#1", "#1 concurrency 1"),
        "concurrency 8": ("#2", "#2 concurrency 8"),
        "dominated": ("#3", "#3 dominated"),
    }
    unranked = LeaderboardEntry(9, "no price", 60.0, 60.0, None)
    row = drawn("throughput", [*RUNS, unranked], by="price")["datasets"]["dots"][-1]
    assert (row["narrow"], row["wide"]) == ("", "no price")


def test_overlapping_names_are_placed_above_and_below() -> None:
    close = [
        LeaderboardEntry(1, "a", 80.0, 100.0, None),
        LeaderboardEntry(2, "b", 79.0, 110.0, None),
        LeaderboardEntry(3, "c", 10.0, 900.0, None),
    ]
    rows = {row["run"]: row for row in drawn("throughput", close)["datasets"]["dots"]}
    assert [rows[name]["wide_below"] for name in "abc"] == [True, False, False]
    assert [rows[name]["narrow_below"] for name in "abc"] == [True, False, False]
    assert (rows["a"]["right"], rows["c"]["right"]) == (True, False)


def test_a_label_that_would_cover_others_is_left_out() -> None:
    crowd = [LeaderboardEntry(n, f"run {n}", 10.0 + n / 9, 100.0 + n, None) for n in range(3)]
    far = [LeaderboardEntry(8, "fast", 90.0, 400.0, None), LeaderboardEntry(9, "b", 5, 10, None)]
    rows = {row["run"]: row for row in drawn("throughput", crowd + far)["datasets"]["dots"]}
    assert (rows["fast"]["wide"], rows["b"]["wide"]) == ("#1 fast", "#5 b")
    assert [rows[f"run {n}"]["wide"] for n in range(3)] == ["", "#3 run 1", "#2 run 2"]
    assert [rows[f"run {n}"]["narrow"] for n in range(3)] == ["", "#3", "#2"]
    assert [rows[f"run {n}"]["wide_below"] for n in (1, 2)] == [True, False]


def test_of_many_runs_those_on_the_front_have_names() -> None:
    many = [LeaderboardEntry(n, f"run {n}", 5.0 * n, 10.0 * n, None) for n in range(1, 14)]
    rows = drawn("throughput", many)["datasets"]["dots"]
    assert [row["wide"] for row in rows] == ["#1 run 13", *(f"#{n}" for n in range(2, 14))]
    assert [row["narrow"] for row in rows] == [f"#{n}" for n in range(1, 14)]


def test_without_numbers_there_is_no_chart() -> None:
    assert pareto([LeaderboardEntry(1, "x", 5.0, None, None)], "throughput") is None
    assert pareto([LeaderboardEntry(1, "x", 5.0, 9.0, None)], "price") is None


def test_the_table_ranks_and_marks_the_front() -> None:
    table = leaderboard(RUNS, "throughput", "throughput")
    assert table.columns == (
        "Rank",
        "Run",
        "Output throughput (tokens/s)",
        "Tokens/s per request",
        "USD per million output tokens",
        "Pareto front",
    )
    assert [row[:2] + row[-1:] for row in table.rows] == [
        ("1", "unknown", "no"),
        ("2", "concurrency 8", "● yes"),
        ("3", "dominated", "no"),
        ("4", "concurrency 1", "● yes"),
    ]
    by_price = leaderboard(RUNS, "price", "price")
    assert [row[0] for row in by_price.rows] == ["1", "2", "3", "–"]
    assert by_price.rows[-1][4] == "–"
    without = leaderboard([LeaderboardEntry(1, "x", 5.0, 9.0, None)], "speed", "throughput")
    assert "USD per million output tokens" not in without.columns
    assert pareto_front_ids(RUNS, "price") == (2, 1)


def test_a_measure_has_its_interval_over_repeats() -> None:
    numbers = {"tokens_per_s_median": 50.0, "output_tokens_per_s": 400.0}
    repeats = {"output_tokens_per_s": [390.0, 400.0, 410.0], "tokens_per_s_median": [50.0, None]}
    entry = leaderboard_entry(1, "a", {**numbers, "by_repeat": repeats})
    (row,) = leaderboard([entry], "throughput", "throughput").rows
    assert (row[2], row[3]) == ("400 (376–426)", "50.0"), "two repeats have no interval"


def test_a_run_with_warnings_is_marked() -> None:
    warned = replace(RUNS[0], warnings=2)
    table = leaderboard([warned, *RUNS[1:]], "throughput", "throughput")
    assert table.columns[-1] == "Warnings"
    assert {row[1]: row[-1] for row in table.rows} == {
        "concurrency 1": "2",
        **{each.label: "–" for each in RUNS[1:]},
    }
    assert "why its numbers may be misleading" in table.note
    assert "misleading" not in leaderboard(RUNS, "throughput", "throughput").note


def test_other_differences_between_runs_are_reported() -> None:
    models = [LeaderboardEntry(n, str(n), 1.0, 1.0, None, model) for n, model in enumerate("ab")]
    assert differences_note(models, [{"work": "1"}, {"work": "2"}]) == (
        "These runs have 2 models and 2 kinds of work (by mode, requests, prompts and lengths). "
        "Their order may come from that, not from the servers."
    )
    assert differences_note(models[:1], [{"work": "1"}, {}]) == ""
    assert "Model" in leaderboard(models, "speed", "throughput").columns
