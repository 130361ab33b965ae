"""`run` from its start to its end, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys

import psutil
import pytest
from sqlalchemy import Engine, text

from db import counts, runs
from services.report.export.document import REQUEST_FIELDS
from services.report.export.shape import RunDocument
from services.servers import engines
from tests.cli.conftest import RunCli, finish, in_terminal, meanwhile, run_flags, start_cli
from tests.conftest import ROOT, SLOW, ReferenceServer, Submit, until


@pytest.mark.long
def test_a_run_prints_one_json_document_and_nothing_else(
    database: Engine, reference: ReferenceServer
) -> None:
    more = ("--mode", "batch", "--requests", "6", "--repeats", "2", "--tag", "a", "--tag", "b")
    result = finish(start_cli(*run_flags(reference, "ref tokens=3", *more, "--json")))
    assert (result.code, result.err) == (0, "")
    document = json.loads(result.out)
    RunDocument.model_validate(document)
    required = RunDocument.model_json_schema()["required"]
    assert list(document) == [*required, "samples"]
    assert [tuple(row) for row in document["requests"]] == [REQUEST_FIELDS] * 12
    assert {row["output_tokens"] for row in document["requests"]} == {3}
    assert all(0.02 <= row["ttft_s"] <= row["e2e_s"] < 1 for row in document["requests"])
    assert document["run"]["tags"] == ["a", "b"]
    assert (document["summary"]["ok"], runs.count(database)) == (12, 1)


@pytest.mark.long
def test_a_run_without_json_prints_its_numbers(reference: ReferenceServer, run_cli: RunCli) -> None:
    result = run_cli(*run_flags(reference, "ref tokens=3", "--requests", "2", "--pause", "0"))
    assert (result.code, result.err) == (0, "")
    server = reference.base_url.removeprefix("http://").removesuffix("/v1")
    name = f"{server} · ref tokens=3 · sequential · 2 requests"
    assert result.out.startswith(f"Run 1 · {name} · done\n")
    assert "Output throughput" in result.out
    assert run_cli("show", "1").out == result.out


def test_a_failed_run_is_printed_and_exits_with_1(
    reference: ReferenceServer, run_cli: RunCli
) -> None:
    result = run_cli(*run_flags(reference, "ref status=500", "--requests", "2", "--pause", "0"))
    assert result.code == 1
    assert "No request succeeded. The first one: HTTP 500" in result.out
    assert json.loads(run_cli("show", "1", "--json").out)["summary"]["failed"] == 2


def test_a_server_that_does_not_exist_fails_the_run(run_cli: RunCli) -> None:
    result = run_cli("run", "--backend", "http://127.0.0.1:1", "--requests", "1")
    assert result.code == 1
    assert "Nothing answers at 127.0.0.1:1." in result.out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_run_and_prints_what_was_measured(
    database: Engine, reference: ReferenceServer, sent: signal.Signals
) -> None:
    more = ("--mode", "staggered", "--requests", "500", "--interval", "0.1", "--json")
    process = start_cli(*run_flags(reference, "ref tokens=3", *more))
    until(lambda: runs.count(database) and counts.request_counts(database, 1).get("ok", 0) >= 3, 30)
    process.send_signal(sent)
    result = finish(process)
    assert (result.code, result.err) == (1, "")
    document = json.loads(result.out)
    assert document["run"]["status"] == "cancelled"
    assert document["summary"]["ok"] >= 3


def test_ctrl_c_cancels_a_queued_run(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    first = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, first).status == "running", 15)
    process = start_cli(*run_flags(reference, "ref tokens=3"))
    until(lambda: runs.count(database) == 2, 15)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 1
    assert runs.load(database, 2).status == "cancelled"
    assert runs.load(database, first).status == "running"


def test_two_runs_started_at_once_are_measured_one_after_the_other(
    database: Engine, reference: ReferenceServer
) -> None:
    flags = run_flags(reference, "ref tokens=5", "--requests", "5", "--pause", "0.1", "--json")
    results = [finish(process) for process in [start_cli(*flags), start_cli(*flags)]]
    assert [result.code for result in results] == [0, 0]
    documents = [json.loads(result.out)["run"] for result in results]
    first, second = sorted(documents, key=lambda run: run["id"])
    assert first["ended_at"] <= second["started_at"]


def test_a_queued_run_survives_the_death_of_the_supervisor(
    database: Engine, reference: ReferenceServer, reference_run: Submit, run_cli: RunCli
) -> None:
    first = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, first).phase.startswith("Measuring"), 20)
    flags = run_flags(reference, "ref tokens=3", "--requests", "1", "--json")
    with meanwhile(lambda: runs.count(database) == 2, kill_supervisor):
        result = run_cli(*flags)
    assert result.code == 0, result.err
    assert json.loads(result.out)["run"]["status"] == "done"
    assert runs.load(database, first).status == "interrupted"


def test_an_interrupted_run_is_printed_and_exits_with_1(
    database: Engine, reference: ReferenceServer, run_cli: RunCli
) -> None:
    def measuring() -> bool:
        return runs.count(database) == 1 and runs.load(database, 1).phase.startswith("Measuring")

    with meanwhile(measuring, kill_supervisor):
        result = run_cli(*run_flags(reference, SLOW, "--requests", "1", "--json"))
    assert result.code == 1
    assert json.loads(result.out)["run"]["status"] == "interrupted"


def kill_supervisor() -> None:
    file = os.environ["PACELINE_DATABASE_URL"].partition(":///")[2]
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment = process.info["environ"] or {}
        own = environment.get("PACELINE_DATABASE_URL", "").endswith(file)
        if own and (process.info["cmdline"] or [])[1:3] == ["-m", "jobs"]:
            process.kill()


def test_a_run_deleted_while_queued_is_not_waited_for(
    database: Engine, reference: ReferenceServer, reference_run: Submit, run_cli: RunCli
) -> None:
    reference_run(SLOW, requests=1)
    with meanwhile(lambda: runs.count(database) == 2, lambda: runs.delete(database, 2)):
        result = run_cli(*run_flags(reference, "ref"))
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("There is no run 2.")


def test_a_run_that_loses_its_database_exits_with_1(
    database: Engine, reference: ReferenceServer, reference_run: Submit, run_cli: RunCli
) -> None:
    reference_run("ref gap=0.05 tokens=2000", requests=1, warmup=0)

    def rename(old: str, new: str) -> None:
        with database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    with meanwhile(lambda: runs.count(database) == 2, lambda: rename("requests", "away")):
        result = run_cli(*run_flags(reference, "ref"))
    rename("away", "requests")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "Lost contact with run 2. The database cannot be used: no such table"
    )


def test_the_live_page_shows_the_progress_of_a_run(
    database: Engine, reference: ReferenceServer
) -> None:
    flags = run_flags(reference, "ref tokens=3", "--requests", "4", "--pause", "0.5")
    result, shown = in_terminal(*flags)
    assert result.code == 0
    assert result.out.startswith("Run 1 ")
    steps = shown.split("\r")
    assert any("Measuring:" in step and "/4 [" in step for step in steps), steps
    assert steps[-1].strip() == ""  # nothing of it stays


@pytest.mark.timeout(700)  # 20 s on two quiet cores, many times that on busy ones
def test_a_batch_of_64_on_the_embedded_model_loses_no_request(run_cli: RunCli) -> None:
    flags = ("--backend", "embedded", "--mode", "batch", "--requests", "64", "--max-tokens", "8")
    result = run_cli("run", *flags, "--json")
    assert result.code == 0, result.err
    requests = json.loads(result.out)["requests"]
    assert [row["index"] for row in requests] == list(range(64))
    assert {(row["status"], row["token_source"]) for row in requests} == {("ok", "usage")}
    assert all(1 <= row["output_tokens"] <= 8 for row in requests)


def test_token_counts_match_the_timings_of_the_engine(database: Engine) -> None:
    out, heard = asyncio.run(overheard("--mode", "batch", "--requests", "8", "--max-tokens", "8"))
    generated = re.findall(rb'"predicted_n":\s*(\d+)', heard)  # llama.cpp's timings of an answer
    read = re.findall(rb'"prompt_n":\s*(\d+)', heard)
    requests = json.loads(out)["requests"]
    assert sorted(row["output_tokens"] for row in requests) == sorted(map(int, generated))
    assert sorted(row["prompt_tokens"] for row in requests) == sorted(map(int, read))


async def overheard(*flags: str) -> tuple[bytes, bytes]:
    """Run against an embedded engine; what was printed, and all that the engine answered."""
    heard = bytearray()

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bool) -> None:
        while data := await source.read(65_536):
            heard.extend(data if keep else b"")
            sink.write(data)
        sink.close()

    async with engines.start_embedded("embedded", 8, 512) as engine:
        host, port = engine.base_url.removeprefix("http://").removesuffix("/v1").split(":")

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back, forth = await asyncio.open_connection(host, int(port))
            await asyncio.gather(carry(reader, forth, False), carry(back, writer, True))

        async with await asyncio.start_server(between, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            command = ("cli.py", "run", "--backend", url, "--warmup", "0", "--json", *flags)
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, cwd=ROOT, stdout=pipe
            )
            out, _ = await process.communicate()
    assert process.returncode == 0
    return out, bytes(heard)
