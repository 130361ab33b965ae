"""The time slices of a run as a table, a file and rows."""

from __future__ import annotations

from dataclasses import replace

from services.report import slices, tables
from services.report.export import export
from services.report.terminal.runs import run_text
from tests.services.analysis.test_slices import every_second
from tests.values import candidate


def test_the_slices_are_a_table_with_the_repeat_where_there_are_several() -> None:
    one = candidate(every_second(), mode="constant")
    shown = slices.table(one)
    assert shown.columns[0] == "Time (s)"
    assert [row[0] for row in shown.rows] == [
        "0.00–5.25",
        "5.25–10.50",
        "10.50–15.75",
        "15.75–21.00",
    ]
    two = candidate([replace(m, repeat=r) for r in range(2) for m in every_second()])
    assert [row[:2] for row in slices.table(two).rows][3:5] == [
        ("1", "15.75–21.00"),
        ("2", "0.00–5.25"),
    ]


def test_slices_are_exported_as_csv() -> None:
    head, *rows = export("slices.csv").write([candidate(every_second())]).decode().split()
    assert head.split(",") == list(slices.FIELDS)
    assert len(rows) == 4
    assert rows[0].startswith("0,0.0,5.25,6,0,")


def test_the_steady_window_is_named_below_the_distributions() -> None:
    steady = tables.distributions(candidate(every_second(), mode="constant"))
    assert "TTFT, steady" in [row[0] for row in steady.rows]
    assert "(1.00 to 19.0 s, 19 requests)" in steady.note
    assert (
        "Steady state: TTFT 1.00 s median, – p95; E2E latency 2.00 s median, – p95; TPOT 250 ms "
        "median, – p95 (1.00 to 19.0 s, 19 requests)."
    ) in run_text(candidate(every_second(), mode="constant"))
    never = tables.distributions(candidate(every_second(), mode="ramp"))
    assert "Steady" not in never.note
