"""The searches of the bench: what each client's output says, and the table beside the truth.
`data/bench/capacity` holds what real searches of this queue wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.capacity import (
    CASE,
    SEARCHERS,
    Answer,
    Found,
    Searcher,
    read_aiperf,
    read_evalscope,
    read_paceline,
    rows,
    searched,
    truth,
)
from bench.work import Job

DATA = Path(__file__).parent / "data" / "bench" / "capacity"


def test_the_capacity_of_the_queue_matches_erlang() -> None:
    assert truth() == pytest.approx(109.76, abs=0.01)


def test_each_clients_answer_is_read() -> None:
    job = Job(CASE, 1, DATA, "capacity")  # an unused port
    assert read_aiperf(job, b"") == Answer(100)
    assert read_evalscope(job, b"") == Answer(110)
    one = {"capacity": 106.3, "low": 97.6, "high": 119.8, "at_least": 102.1}
    found = read_paceline(job, json.dumps({"servers": [one]}).encode())
    assert found == Answer(106.3, 97.6, 119.8, 102.1)


def test_an_answer_that_was_not_given_is_none(tmp_path: Path) -> None:
    job = Job(CASE, 1, tmp_path, "capacity")
    (tmp_path / "stderr").write_text("│ p90_ttft <= 200 ms │ None │ not_met │ ")
    assert read_evalscope(job, b"") == Answer(None)
    (tmp_path / "stderr").write_text("no table")
    with pytest.raises(ValueError, match="no selection"):
        read_evalscope(job, b"")
    assert str(Answer(None)) == "none claimed"
    assert str(Answer(None, at_least=41.76)) == "at least 41.8"


def test_the_table_says_ratios_and_what_was_not_installed() -> None:
    ours = Found("Paceline", Answer(104.0, 95.0, 112.0), 200.0, 60.0)
    theirs = Found("aiperf 1", Answer(80.0), 500.0, 90.0)
    absent = Found("evalscope 1", problem="not installed: no wheel")
    _, _, true, first, second, third = rows([ours, theirs, absent], 100.0)
    assert true[:2] == ("truth (Erlang C)", "100.0")
    assert first[1:] == ("104.0", "95.0–112.0", "+4.0 %", "1.0", "200 s", "1.0", "60")
    assert second[1:] == ("80.0", "–", "-20.0 %", "5.0", "500 s", "2.5", "90")
    assert third[:2] == ("evalscope 1", "not installed: no wheel")


def test_a_client_without_results_has_a_row_that_says_so() -> None:
    mute = Searcher("mute", "Mute", lambda job, python: [python, "-c", ""], read_paceline, own=True)
    assert searched(mute, 60).problem.startswith("no result, exit code 0")
    assert [one.name for one in SEARCHERS] == ["paceline", "aiperf", "evalscope"]
