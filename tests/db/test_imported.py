"""Files of other tools become runs that everything else can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, Engine, update

from db import columns, counts, imported, recording, results, runs, schema
from db.database import writing
from services.analysis.compare import compare
from services.ask.measurement import FINISHED, Repeat
from services.base import untrusted
from services.report.export import EXPORTS, content_hash, export, run_document
from services.report.imports import InvalidImport
from services.report.imports.stated import table
from services.report.tables import figures
from tests.conftest import ROOT
from tests.stored import store
from tests.values import NOON

DATA = ROOT / "tests" / "data" / "imports"
CALIBRATION = {
    "requests": 64,
    "lost": 0,
    "ttft_p50_s": 3e-6,
    "ttft_p99_s": 5e-6,
    "e2e_p50_s": 4e-6,
    "e2e_p99_s": 9e-6,
    "inter_chunk_p50_s": 1e-6,
    "inter_chunk_p99_s": 2e-6,
}
HEALTH = {"began_ns": 90 * 86_400 * 10**9, "nodes": [{"node": 1, "clock_error_s": 1e-5}]}


def bring_in(database: Engine, name: str, again: bool = False) -> list[int]:
    file: Path = DATA / name
    return imported.import_file(database, file.read_bytes(), file.name, again)


def test_an_imported_run_is_listed_with_the_others(database: Engine) -> None:
    [run_id] = bring_in(database, "vllm/result.json")
    run = runs.load(database, run_id)
    assert run.status == "done"
    assert run.through == "imported from vLLM bench"
    assert run.config.requests == 12
    assert run.source is not None
    assert run.source["file"] == "result.json"
    assert len(runs.measurements(database, run_id)) == 12
    [row] = runs.search(database, backend="import")
    assert row.headline["via"] == "imported from vLLM bench"
    assert row.headline["output_tokens_per_s"] > 800
    assert results.candidate(database, run_id).summary.ok == 12


def test_an_imported_summary_is_a_run_with_the_numbers_of_its_tool(database: Engine) -> None:
    [run_id] = bring_in(database, "vllm/serve_summary.json")
    candidate = results.candidate(database, run_id)
    assert not candidate.measurements
    [row] = runs.search(database)
    assert row.headline["ttft_s_median"] == pytest.approx(0.21225, rel=1e-3)
    assert table(candidate).rows
    summary = run_document(candidate)["summary"]
    assert summary["ttft_s_median"] == pytest.approx(0.21225, rel=1e-3)
    assert summary["ok"] == candidate.run.source["stated"]["ok"]
    assert summary["cancelled"] is None, "nobody counted any: that is no 0"


def test_a_file_imported_twice_is_recognised_by_its_content(database: Engine) -> None:
    [first] = bring_in(database, "vllm/result.json")
    data = (DATA / "vllm/result.json").read_bytes()
    with pytest.raises(imported.AlreadyImported, match=f"as run {first}") as found:
        imported.import_file(database, data, "another-name.json")
    assert found.value.ids == (first,)
    assert bring_in(database, "vllm/result.json", again=True) != [first]


def test_a_file_that_cannot_be_read_stores_nothing(database: Engine) -> None:
    with pytest.raises(InvalidImport):
        imported.import_file(database, b"{", "x.json")
    assert not runs.count(database)


def test_runs_of_two_tools_and_a_summary_are_compared(database: Engine) -> None:
    names = ("vllm/result.json", "guidellm/report.json", "vllm/serve_summary.json")
    ids = [run_id for name in names for run_id in bring_in(database, name)]
    candidates = results.candidates(database, ids)
    comparison = compare(candidates)
    row = next(row for row in comparison.rows if row.metric == "ttft_s_median")
    assert None not in row.values
    assert row.values[2] == pytest.approx(0.21225, rel=1e-3)
    assert row.ratios[2] is not None
    assert row.ratios[2].low is None, "one repeat allows no interval"
    assert {verdict.word for verdict in comparison.verdicts} == {"no verdict"}
    titles = [diagnostic.title for diagnostic in comparison.warnings]
    assert "Measured by different clients" in titles
    assert "It is unknown whether the prompts were the same" in titles
    assert "Different sampling" not in titles
    assert figures(candidates, ["a", "b", "c"]).rows


def test_an_imported_run_can_be_exported(database: Engine) -> None:
    [run_id] = bring_in(database, "guidellm/report.json")
    document = run_document(results.candidate(database, run_id))
    assert document["run"]["status"] in FINISHED
    assert len(document["requests"]) == 12


def test_imported_runs_do_not_count_for_estimates(database: Engine) -> None:
    bring_in(database, "vllm/result.json")
    model = runs.search(database)[0].model
    assert counts.earlier_runs(database, "import", model, "import") == []


def test_an_exported_requests_csv_keeps_its_times_when_imported(database: Engine) -> None:
    candidate = results.candidate(database, store(database))
    data = export("requests.csv").write([candidate])
    [run_id] = imported.import_file(database, data, "requests.csv")
    back = results.candidate(database, run_id)
    assert back.run.placed
    assert back.summary.output_tokens_per_s == pytest.approx(candidate.summary.output_tokens_per_s)
    assert [m.t_first for m in back.measurements] == [m.t_first for m in candidate.measurements]


def test_an_export_can_be_imported_into_another_paceline(database: Engine) -> None:
    run_id = store(database, name="mine", tags=("a",), note="see", backend="vllm", max_tokens=77)
    candidate = results.candidate(database, run_id)
    data = orjson.dumps(run_document(candidate))
    [again] = imported.import_file(database, data, "run.json")
    back = results.candidate(database, again)
    assert (back.run.name, back.run.tags, back.run.note) == ("mine", ("a",), "see")
    assert back.run.config == candidate.run.config
    assert back.run.repeats == candidate.run.repeats
    assert back.summary.ok == candidate.summary.ok
    assert back.summary.distributions["tpot_s"] == candidate.summary.distributions["tpot_s"]
    assert {row[3] for row in table(back).rows} <= {"none", "–"}


@pytest.mark.parametrize("name", ["run.json", "requests.parquet"])
@pytest.mark.parametrize("workload", [{}, {"prompt": "words of my own"}, {"prompts": ("a", "bc")}])
def test_an_exported_run_round_trips_except_for_its_prompts(
    database: Engine, name: str, workload: dict[str, Any]
) -> None:
    run_id = store(database, name="mine", **workload)
    recording.set_calibration(database, run_id, CALIBRATION)
    recording.add_repeat(database, run_id, Repeat(0, NOON, 1.0, HEALTH))
    recording.set_environment(database, run_id, {"memory_bytes": 2**42})
    candidate = results.candidate(database, run_id)
    data = export(name).write([candidate])
    assert b"words of my own" not in data
    [again] = imported.import_file(database, data, name)
    back = results.candidate(database, again)
    assert back.run.through == "imported from Paceline"
    assert content_hash(back) == content_hash(candidate)
    assert back.run.calibration == CALIBRATION
    assert [tuple(m.token_times) for m in back.measurements] == [
        tuple(m.token_times) for m in candidate.measurements
    ]
    configs = [run_document(c)["run"]["config"] for c in (back, candidate)]
    assert configs[0] == configs[1], "their prompts by number and length, too"


@pytest.mark.parametrize("name", ["run.json", "requests.parquet"])
def test_an_export_keeps_how_a_run_ended_and_long_facts_of_its_environment(
    database: Engine, name: str
) -> None:
    run_id, nested = store(database), "deepest"
    for _ in range(untrusted.DEEPEST - 1):
        nested = {"inner": nested}
    facts = {"argument": "x" * 500, "many": list(range(300)), "nested": nested, "n" * 200: 1}
    recording.set_environment(database, run_id, {"engine": {"facts": untrusted.data(facts)}})
    ends = {"ended_at": NOON + timedelta(minutes=7), "token_times_removed_at": NOON}
    ends |= {"status": "failed", "error": "The server closed the connection. " * 12}
    with writing(database) as connection:
        connection.execute(update(schema.runs).values(started_at=NOON, **ends))
    first = results.candidate(database, run_id)
    [again] = imported.import_file(database, export(name).write([first]), name)
    back = results.candidate(database, again)
    assert content_hash(back) == content_hash(first)
    assert back.run.error and back.run.error == ends["error"].strip()
    for stored in ("status", "started_at", "ended_at", "token_times_removed_at"):
        assert getattr(back.run, stored) == getattr(first.run, stored)


def test_times_are_packed_before_other_writers_have_to_wait(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, pack, writes = (
        results.candidate(database, store(database)),
        columns.pack,
        imported.writing,
    )
    locked, packed = [False], []

    @contextmanager
    def noted(database: Engine) -> Iterator[Connection]:
        with writes(database) as connection:
            locked[0] = True
            yield connection
        locked[0] = False

    def packs(times: Sequence[float]) -> bytes:
        packed.append(locked[0])
        return pack(times)

    monkeypatch.setattr(imported, "writing", noted)
    for module in (columns, imported):
        monkeypatch.setattr(module, "pack", packs, raising=False)
    data = export("run.json").write([first])
    [again] = imported.import_file(database, data, "run.json")
    assert packed and not any(packed)
    back = results.candidate(database, again)
    assert any(m.token_times for m in back.measurements)
    assert [m.token_times for m in back.measurements] == [m.token_times for m in first.measurements]


def test_the_tool_of_an_import_survives_export_and_import(database: Engine) -> None:
    [run_id] = bring_in(database, "guidellm/report.json")
    first = results.candidate(database, run_id)
    [again] = imported.import_file(database, export("run.json").write([first]), "run.json")
    back = results.candidate(database, again)
    assert back.run.through == "imported from guidellm"
    assert table(back).rows == table(first).rows
    assert back.run.config == first.run.config
    assert back.run.knows("mode")
    assert not back.run.knows("temperature")


def test_the_hash_of_an_imported_summary_is_that_of_its_numbers(database: Engine) -> None:
    [run_id] = bring_in(database, "vllm/serve_summary.json")
    first = results.candidate(database, run_id)
    [again] = imported.import_file(database, export("run.json").write([first]), "run.json")
    assert content_hash(results.candidate(database, again)) == content_hash(first)
    assert first.run.source is not None
    changed = {**first.run.source, "stated": {**first.run.source["stated"], "ok": 11.0}}
    other = replace(first, run=replace(first.run, source=changed))
    assert content_hash(other) != content_hash(first)


def test_an_imported_run_is_listed_with_the_objectives_it_was_asked_for(database: Engine) -> None:
    config = {"requests": 1, "mode": "batch", "e2e_limit_s": 2.0}
    row = {"repeat": 0, "index": 0, "status": "ok", "sent_s": 0.0, "e2e_s": 1.0}
    run = {"status": "done", "config": config}
    document = {"schema": "paceline/run/2", "run": run, "requests": [row]}
    imported.import_file(database, orjson.dumps(document), "run.json")
    assert runs.search(database)[0].headline["slo_attainment"] == 1.0


@pytest.mark.parametrize("name", ["vllm/serve_summary.json", "llmperf/individual_responses.json"])
def test_every_export_works_with_values_that_a_tool_omitted(database: Engine, name: str) -> None:
    [run_id] = bring_in(database, name)
    other = bring_in(database, "vllm/result.json")[0]
    first, second = results.candidates(database, [run_id, other])
    for entry in EXPORTS:
        assert entry.write([first, second][: entry.least]), entry.name


@pytest.mark.long
@pytest.mark.parametrize("time", ["1e-320", "5e-324", "1e308", "inf", "nan", "-1", "9" * 39])
def test_an_extreme_time_is_refused_or_stored(database: Engine, time: str) -> None:
    """PostgreSQL refuses numbers between 0 and the smallest that it writes."""
    rows = f"Total Time Taken,Tokens Generated\n1.5,3\n{time},3\n"
    try:
        imported.import_file(database, rows.encode(), "results.csv")
    except InvalidImport as error:
        assert "Row 2" in str(error)
        assert not runs.count(database)
    own = f"repeat,index,status,sent_s,ttft_s,e2e_s\n0,0,ok,0,{time},1\n0,1,ok,{time},0.1,1\n"
    own = own.replace("e2e_s", "e2e_s,Total Time Taken,Tokens Generated")
    [run_id] = imported.import_file(
        database, own.replace(",1\n", ",1,1,3\n").encode(), "requests.csv"
    )
    assert len(runs.measurements(database, run_id)) == 2
    assert results.candidate(database, run_id).summary.sent
