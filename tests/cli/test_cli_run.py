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
from tests.cli.conftest import Ask, ended, in_terminal, run_flags, started
from tests.conftest import ROOT, SLOW, ReferenceServer, Submit, until


def test_a_run_prints_one_json_document_and_nothing_else(
    database: Engine, reference: ReferenceServer
) -> None:
    more = ("--mode", "batch", "--requests", "6", "--repeats", "2", "--tag", "a", "--tag", "b")
    said = ended(started(*run_flags(reference, "ref tokens=3", *more, "--json")))
    assert (said.code, said.err) == (0, "")
    document = json.loads(said.out)
    RunDocument.model_validate(document)
    required = RunDocument.model_json_schema()["required"]
    assert list(document) == [*required, "samples"]
    assert [tuple(row) for row in document["requests"]] == [REQUEST_FIELDS] * 12
    assert {row["output_tokens"] for row in document["requests"]} == {3}
    assert all(0.02 <= row["ttft_s"] <= row["e2e_s"] < 1 for row in document["requests"])
    assert document["run"]["tags"] == ["a", "b"]
    assert (document["summary"]["ok"], runs.count(database)) == (12, 1)


def test_a_run_without_json_prints_its_numbers(reference: ReferenceServer, ask: Ask) -> None:
    said = ask(*run_flags(reference, "ref tokens=3", "--requests", "2", "--pause", "0"))
    assert (said.code, said.err) == (0, "")
    server = reference.base_url.removeprefix("http://").removesuffix("/v1")
    name = f"{server} · ref tokens=3 · sequential · 2 requests"
    assert said.out.startswith(f"Run 1 · {name} · done\n")
    assert "Output throughput" in said.out
    assert ask("show", "1").out == said.out


def test_a_failed_run_is_printed_and_exits_with_1(reference: ReferenceServer, ask: Ask) -> None:
    said = ask(*run_flags(reference, "ref status=500", "--requests", "2", "--pause", "0"))
    assert said.code == 1
    assert "No request succeeded. The first one: HTTP 500" in said.out
    assert json.loads(ask("show", "1", "--json").out)["summary"]["failed"] == 2


def test_a_server_that_is_not_there_fails_the_run(ask: Ask) -> None:
    said = ask("run", "--backend", "http://127.0.0.1:1", "--requests", "1")
    assert said.code == 1
    assert "Nothing answers on 127.0.0.1:1." in said.out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_run_and_prints_what_was_measured(
    database: Engine, reference: ReferenceServer, sent: signal.Signals
) -> None:
    more = ("--mode", "staggered", "--requests", "500", "--interval", "0.1", "--json")
    process = started(*run_flags(reference, "ref tokens=3", *more))
    until(lambda: runs.count(database) and counts.counted(database, 1).get("ok", 0) >= 3, 30)
    process.send_signal(sent)
    said = ended(process)
    assert (said.code, said.err) == (1, "")
    document = json.loads(said.out)
    assert document["run"]["status"] == "cancelled"
    assert document["summary"]["ok"] >= 3


def test_ctrl_c_before_its_turn_cancels_a_run_that_waits(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    first = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, first).status == "running", 15)
    process = started(*run_flags(reference, "ref tokens=3"))
    until(lambda: runs.count(database) == 2, 15)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 1
    assert runs.load(database, 2).status == "cancelled"
    assert runs.load(database, first).status == "running"


def test_two_people_at_once_wait_for_each_other(
    database: Engine, reference: ReferenceServer
) -> None:
    flags = run_flags(reference, "ref tokens=5", "--requests", "5", "--pause", "0.1", "--json")
    said = [ended(process) for process in [started(*flags), started(*flags)]]
    assert [each.code for each in said] == [0, 0]
    one, two = sorted((json.loads(each.out)["run"] for each in said), key=lambda run: run["id"])
    assert one["ended_at"] <= two["started_at"]


def test_a_run_survives_the_death_of_the_supervisor_before_its_turn(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    first = reference_run(SLOW, requests=1, warmup=0)
    until(lambda: runs.load(database, first).phase.startswith("Measuring"), 20)
    process = started(*run_flags(reference, "ref tokens=3", "--requests", "1", "--json"))
    until(lambda: runs.count(database) == 2, 15)
    kill_supervisor()
    said = ended(process)
    assert said.code == 0, said.err
    assert json.loads(said.out)["run"]["status"] == "done"
    assert runs.load(database, first).status == "interrupted"


def test_an_interrupted_run_is_printed_and_exits_with_1(
    database: Engine, reference: ReferenceServer
) -> None:
    process = started(*run_flags(reference, SLOW, "--requests", "1", "--json"))
    until(lambda: runs.count(database) and runs.load(database, 1).phase.startswith("Measu"), 20)
    kill_supervisor()
    said = ended(process)
    assert said.code == 1
    assert json.loads(said.out)["run"]["status"] == "interrupted"


def kill_supervisor() -> None:
    file = os.environ["PACELINE_DATABASE_URL"].partition(":///")[2]
    for process in psutil.process_iter(["cmdline", "environ"]):
        environment = process.info["environ"] or {}
        own = environment.get("PACELINE_DATABASE_URL", "").endswith(file)
        if own and (process.info["cmdline"] or [])[1:3] == ["-m", "jobs"]:
            process.kill()


def test_a_run_that_somebody_deletes_while_it_waits_is_not_waited_for(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    reference_run(SLOW, requests=1)
    process = started(*run_flags(reference, "ref"))
    until(lambda: runs.count(database) == 2, 15)
    runs.delete(database, 2)
    said = ended(process)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("There is no run 2.")


def test_a_run_whose_database_goes_away_is_not_called_bad_usage(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    reference_run(SLOW, requests=1)
    process = started(*run_flags(reference, "ref"))
    until(lambda: runs.count(database) == 2, 15)
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE requests RENAME TO away"))
    said = ended(process)
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO requests"))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(
        "Lost contact with run 2. The database cannot be used: no such table"
    )


def test_a_person_sees_how_far_a_run_is(database: Engine, reference: ReferenceServer) -> None:
    flags = run_flags(reference, "ref tokens=3", "--requests", "4", "--pause", "0.5")
    said, shown = in_terminal(*flags)
    assert said.code == 0
    assert said.out.startswith("Run 1 ")
    steps = shown.split("\r")
    assert any("Measuring:" in step and "/4 [" in step for step in steps), steps
    assert steps[-1].strip() == ""  # nothing of it stays


@pytest.mark.timeout(700)  # 20 s on two quiet cores, many times that on busy ones
def test_a_batch_of_64_on_the_embedded_model_loses_nothing(database: Engine) -> None:
    flags = ("--backend", "embedded", "--mode", "batch", "--requests", "64", "--max-tokens", "32")
    said = ended(started("run", *flags, "--json"), seconds=600)
    assert said.code == 0, said.err
    requests = json.loads(said.out)["requests"]
    assert [row["index"] for row in requests] == list(range(64))
    assert {(row["status"], row["token_source"]) for row in requests} == {("ok", "usage")}
    assert all(1 <= row["output_tokens"] <= 32 for row in requests)


def test_token_counts_are_the_engines_own(database: Engine) -> None:
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

    async with engines.started("embedded", 8, 512) as engine:
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
