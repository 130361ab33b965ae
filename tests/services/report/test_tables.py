"""What the tables of what runs measured say besides their numbers."""

from __future__ import annotations

from dataclasses import replace

from services.analysis.objectives import Objectives
from services.ask.prices import Hourly
from services.report import tables
from services.report.export.markdown import markdown
from services.report.export.page import page_html
from services.report.terminal import run_text
from tests.values import candidate, failed, measured, repeats


def test_limits_and_prices_are_shown_once_where_they_are_the_same() -> None:
    limits, price = Objectives(ttft_s=0.5), Hourly(2.5)
    run = candidate(repeats(), price, limits, run_id=1)
    other = candidate(repeats(), price, limits, run_id=2)
    assert tables.basis_note([run, other]) == (
        " Goodput and SLO attainment: requests with TTFT ≤ 500 ms. Cost: at $2.50 an hour, as "
        "entered."
    )
    bare = candidate(repeats(), run_id=3)
    assert "TTFT ≤ 500 ms; none." in tables.basis_note([run, bare])
    assert tables.basis_note([bare]) == ""


def test_a_mix_has_a_table_of_its_classes_in_every_interface() -> None:
    some = [measured(i, e2e=2.0 + 4 * (i % 2)) for i in range(4)]
    mix = candidate([*some, failed(4)], workload="mixed", requests=5)
    table = tables.classes(mix)
    rows = {row[0]: row[1:] for row in table.rows}
    assert table.columns == ("", "Short", "Long")
    assert rows["Requests sent"] == ("3", "2") and rows["Failed"] == ("1", "0")
    assert rows["E2E latency, median"] == ("2.00 s", "6.00 s")
    assert "E2E latency, p95" not in rows  # too few requests of both
    assert "Jain's index" in table.note
    assert b"Short and long requests" in markdown([mix])
    assert "Short and long requests" in run_text(mix)
    assert "TTFT of long requests, median" in {row[0] for row in tables.repeats(mix).rows}


def test_a_run_whose_requests_are_alike_has_no_table_of_classes() -> None:
    plain = candidate([measured(i) for i in range(4)])
    assert tables.classes(plain).rows == ()
    assert "Short and long" not in run_text(plain)


def test_where_ttft_goes_is_in_every_interface() -> None:
    parts = {"server_queue_s": 0.75, "prefill_s": 0.2}
    run = candidate([replace(measured(n, ttft=1.0), **parts) for n in range(4)])
    table = tables.ttft_phases(run)
    assert table.rows == (
        ("Client queue, before sending", "0 s", "0 s", "–"),
        ("Server queue", "750 ms", "750 ms", "75.0 %"),
        ("Prefill", "200 ms", "200 ms", "20.0 %"),
        ("Network and other", "50.0 ms", "50.0 ms", "5.00 %"),
        ("TTFT", "1.00 s", "1.00 s", "100 %"),
    )
    assert table.note == (
        "As reported by the server for 4 successful requests. The means add up to that of TTFT; "
        "the medians do not. The client queue is not part of TTFT."
    )
    for text in (run_text(run), page_html([run]).decode(), markdown([run]).decode()):
        assert "Where TTFT goes" in text and "75.0 %" in text.replace("\xa0", " ")


def test_an_unreported_queue_is_shown_as_unknown() -> None:
    rows = [replace(measured(0), prefill_s=0.2), measured(1), failed(2)]
    table = tables.ttft_phases(candidate(rows))
    assert [row[0] for row in table.rows[1:]] == ["Prefill", "Queue, network and other", "TTFT"]
    assert table.note.startswith("As reported by the server for 1 of 2 successful requests.")
    assert " How long they waited in its queue is not reported." in table.note
    assert not tables.ttft_phases(candidate([measured(0)])).rows


def test_a_failure_of_any_class_is_shown_with_its_first_message() -> None:
    run = candidate(
        [
            measured(0),
            failed(1, error_class=None, error="out of blocks"),
            failed(2, error_class=None, error="out of blocks, too"),
            failed(3, error=None),
            failed(4, error="late"),
        ]
    )
    assert tables.failures(run).rows == (
        ("unknown", "2", "out of blocks"),
        ("timeout", "2", "late"),
    )


def test_a_repeat_whose_requests_all_failed_shows_the_rate_that_the_mean_counts() -> None:
    some = [*repeats(vary=(0.4,)), *(failed(index, repeat=1) for index in range(2))]
    rows = {row[0]: row[1:] for row in tables.repeats(candidate(some, run_id=1)).rows}
    assert rows["Requests/s"][1] == "0"
    assert rows["Error rate"][1] == "100 %"
