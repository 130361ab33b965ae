"""Text for a terminal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.analysis import figures
from services.analysis.compare import compare
from services.analysis.objectives import Objectives
from services.ask.backends import BACKENDS
from services.ask.prices import Hourly
from services.report import imports, tables, terminal
from services.servers.engines import EngineConfig
from services.servers.engines.instance import EngineInstance
from services.servers.probe import Probe
from tests.conftest import ROOT
from tests.values import candidate, failed, imported_candidate, measured


def test_a_table_is_aligned_by_its_widest_cells() -> None:
    assert terminal.table(["a", "bb"], [["1", "2"], ["333", ""]]).splitlines() == [
        "a    bb",
        "───  ──",
        "1    2",
        "333",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 世界 ×2 · 5 µs", "Grüße, 世界 ×2 · 5 µs"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("\r\t\x7f\x9b", "\ufffd" * 4),
        ("right\u202eleft", "right\ufffdleft"),
        ("\udcff", "\ufffd"),
    ],
)
def test_terminal_control_characters_are_not_shown(text: str, shown: str) -> None:
    assert terminal.plain(text) == shown


def test_a_run_is_shown_with_its_numbers_failures_and_diagnostics() -> None:
    lines = terminal.run_text(
        candidate([measured(0), measured(1), failed(2, "http_5xx")], run_id=7, name="Mine")
    ).splitlines()
    assert lines[0] == "Run 7 · Mine · done"
    assert "  Requests sent                                    3" in lines
    assert "  E2E latency, mean                           3.00 s" in lines
    assert "  E2E latency, sum of all requests            6.00 s" in lines
    assert "  failed, http_5xx                                 1" in lines
    assert any(line.startswith("warning: ") for line in lines)


def test_a_comparison_is_shown_with_the_diagnostics_of_its_runs() -> None:
    retried = [measured(0, attempts=2, first_error_class="http_429", retry_wait_s=3.0)]
    pair = candidate([measured(0)], run_id=1), candidate(retried, run_id=2, retries=3)
    text = terminal.comparison_text(compare(pair))
    assert "warning: retries 3: 1 request sent more than once. " in text


def test_what_was_not_measured_is_a_dash() -> None:
    text = terminal.run_text(candidate([], repeats=0, mode="sequential"))
    assert "own waiting" not in text
    assert "  TTFT, median                                     –" in text.splitlines()


def row(**values: Any) -> Any:
    values_ = {
        "id": 1,
        "name": "Mine",
        "status": "done",
        "created_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
        "model": "tiny",
        "headline": {},
    }
    return SimpleNamespace(**values_ | values)


def test_runs_are_listed_a_line_each_and_long_names_are_cut() -> None:
    listed = terminal.list_text([row(), row(id=2, name="x" * 41, headline={"failed": 1234})])
    first, _, second, third = listed.splitlines()
    assert first.split()[:3] == ["run", "name", "status"]
    assert second.endswith("–")
    assert f"2    {'x' * 39}…" in third
    assert third.endswith("1,234")


def test_a_run_with_warnings_is_marked_in_the_list() -> None:
    warned = row(id=2, headline={"failed": 0, "warnings": ["Sent late", "Cut at the end"]})
    first, _, second, third = terminal.list_text([row(), warned]).splitlines()
    assert first.endswith("warnings")
    assert (second.split()[-1], third.split()[-1]) == ("–", "2")


def test_an_empty_list_says_whether_anything_was_left_out() -> None:
    assert terminal.list_text([]) == "There are no runs yet."
    assert terminal.list_text([], narrowed=True) == "No run matches."


def test_a_comparison_is_shown_in_words_and_numbers() -> None:
    run = candidate([measured(i, repeat=r) for r in range(3) for i in range(3)], run_id=1)
    two = candidate(
        [measured(i, repeat=r, e2e=6.0) for r in range(3) for i in range(3)],
        run_id=2,
        name="B",
        max_tokens=9,
    )
    comparison = compare([run, two])
    text = terminal.comparison_text(comparison)
    for verdict in comparison.verdicts:
        assert verdict.sentence in text
    assert ["Comparison", "A", "(baseline)", "B"] in [line.split() for line in text.splitlines()]
    lines = text.splitlines()
    (at,) = [at for at, line in enumerate(lines) if line.startswith("E2E latency, median")]
    assert lines[at].split() == ["E2E", "latency,", "median", "3.00", "s", "6.00", "s"]
    assert lines[at + 1].split() == ["2.00×", "(2.00–2.00)"]
    assert lines[at + 1].index("2.00×") == lines[at].index("6.00 s")
    assert text.splitlines()[-1].split() == ["Max", "tokens", "128", "9"]


def test_objectives_and_prices_are_shown_beside_the_numbers() -> None:
    limits, price = Objectives(ttft_s=1.0), Hourly(3.6)
    run = candidate([measured()], price, limits, run_id=1, name="A")
    other = candidate([measured()], price, limits, run_id=2, name="B")
    shown = terminal.run_text(run)
    assert "100 % of the requests met TTFT ≤ 1.00 s" in shown
    assert "Cost: at $3.60 an hour, as entered." in shown
    assert terminal.comparison_text(compare([run, other])).endswith(
        "requests with TTFT ≤ 1.00 s. Cost: at $3.60 an hour, as entered."
    )


def test_backends_are_listed_with_whether_their_key_is_set() -> None:
    env = {"OPENAI_API_KEY": "fake-0123456789", "OPENAI_BASE_URL": "http://10.0.0.1/v1"}
    rows = {row["name"]: row for row in terminal.backend_rows(list(BACKENDS), env, None)}
    assert list(rows) == list(BACKENDS)
    assert rows["openai"]["address"] == "http://10.0.0.1/v1"
    assert [rows[name]["key_set"] for name in ("openai", "groq", "ollama")] == [True, False, None]
    assert rows["url"]["address"] == "address not set (PACELINE_URL)"
    assert "fake" not in str(rows) + terminal.backends_text(list(rows.values()))


def test_an_invalid_address_is_not_shown() -> None:
    (backend,) = terminal.backend_rows(["url"], {"PACELINE_URL": "http://me:secret@host"}, None)
    assert "secret" not in str(backend)


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        (Probe(False, problem="Nothing answers there."), "Nothing answers there."),
        (Probe(None), "not tested, because that would cost money."),
        (
            Probe(True, ("a",), True, True, 0.0012),
            "1 model, streams, reports usage, round trip 1.20 ms.",
        ),
        (Probe(True, ("a", "b"), False, False), "2 models, does not stream, reports no usage."),
        (Probe(True, ()), "0 models, streaming not tested, because no model is chosen."),
    ],
)
def test_the_check_of_a_backend_is_shown_below_the_list(probe: Probe, text: str) -> None:
    rows = terminal.backend_rows(["sglang"], {}, {"sglang": probe})
    assert terminal.backends_text(rows).splitlines()[-1] == f"sglang: {text}"
    assert rows[0]["test"]["models"] == probe.models


def test_figures_have_the_same_names_in_the_terminal_and_in_tables() -> None:
    run = candidate([measured(0), measured(1)])
    shown = terminal.run_text(run)
    rows = {row[0]: row[1] for row in tables.figures([run], ["1"]).rows}
    for name in ("sent", "requests_per_s", "total_e2e_s", "output_tokens"):
        label, _ = figures.figure_name(name)
        assert f"  {label:<34}{rows[label]:>16}" in shown.splitlines()
    assert figures.figure_name("e2e_s_sd") == ("E2E latency, std dev", "s")


def test_an_imported_summary_is_shown_with_its_tools_numbers() -> None:
    file = ROOT / "tests" / "data" / "imports" / "locust" / "results_stats.csv"
    [read] = imports.read(file.read_bytes(), "results_stats.csv")
    lines = terminal.run_text(imported_candidate(read)).splitlines()
    assert "  Requests sent                                   40" in lines
    assert "  Succeeded                                       38" in lines
    assert "  Failed                                           2" in lines
    assert "  E2E latency, median                         900 ms" in lines
    assert "  TTFT, median                                     –" in lines
    assert any(line.startswith("Reported by the tool") for line in lines)
    assert any("Not read from the file: Median Response Time" in line for line in lines)


def test_a_count_missing_from_a_summary_is_a_dash_not_zero() -> None:
    file = ROOT / "tests" / "data" / "imports" / "inferencex" / "seconds.json"
    [read] = imports.read(file.read_bytes(), "seconds.json")
    lines = terminal.run_text(imported_candidate(read)).splitlines()
    assert "  Succeeded                                      160" in lines
    assert "  Failed                                           –" in lines


def test_a_ready_engine_shows_no_problem_of_an_earlier_start() -> None:
    why = "It was killed, probably because the machine ran out of memory."
    made = datetime(2026, 1, 1, tzinfo=UTC)
    up = EngineInstance(1, "ready", EngineConfig(), made, base_url="http://x/v1", error=why)
    assert why not in terminal.engine_text(up) and "http://x/v1" in terminal.engine_text(up)
    assert why in terminal.engine_text(replace(up, status="failed"))


def test_latencies_from_due_and_from_sent_are_shown_side_by_side_in_an_open_loop() -> None:
    late = measured(0, send=2.0, t_due=0.0)
    opened = candidate([late], mode="constant")
    lines = terminal.run_text(opened).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  TTFT, median"))
    assert lines[at : at + 2] == [
        "  TTFT, median                                1.00 s",
        "  Scheduled TTFT, median                      3.00 s",
    ]
    assert "  Scheduled latency, median                   5.00 s" in lines
    assert "Scheduled TTFT, median" not in terminal.run_text(candidate([late]))


def test_what_a_run_has_not_is_not_shown() -> None:
    assert "Session time" not in terminal.run_text(candidate([measured()]))
    again = measured(attempts=2, retry_wait_s=0.5)
    assert "  Retry wait, median" in terminal.run_text(candidate([again]))
