"""The door in a terminal: what can be typed, what is refused, and runs with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import psutil
import pytest
from sqlalchemy import Engine, text

import cli
from db import counts, runs
from db.database import opened
from jobs.place import beside
from services.ask.config import RunConfig
from services.ask.flag import flag
from services.report.export import EXPORTS
from services.report.export.document import REQUEST_FIELDS
from services.report.export.shape import RunDocument
from services.servers import engines
from tests.conftest import ROOT, ReferenceServer, until
from tests.stored import store
from tests.values import measured

Submit = Callable[..., int]
SLOW = "ref ttft=0.05 gap=0.05 tokens=2000"  # 100 s an answer


class Said(NamedTuple):
    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(
    database: Engine, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Run a command in this process; what it says and its exit code."""
    for name in ("PACELINE_URL", "OPENAI_API_KEY", "GROQ_API_KEY", "LITELLM_MODEL"):
        monkeypatch.setenv(name, "")

    def run(*arguments: str) -> Said:
        try:
            code = cli.main(arguments)
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return Said(code, out.decode(errors="surrogateescape"), err.decode())

    return run


def started(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, **pipes)


def ended(process: subprocess.Popen[bytes], seconds: float = 240) -> Said:
    out, err = process.communicate(timeout=seconds)
    return Said(process.returncode, (out or b"").decode(), (err or b"").decode())


def in_terminal(*arguments: str, seconds: float = 240) -> tuple[Said, str]:
    """Run a command whose progress is written to a terminal; return that beside the rest."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "100", "rows", "30"], stdin=theirs, check=True)
    process = started(*arguments, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how the end of a terminal reads on Linux
        pass
    os.close(ours)
    return ended(process, seconds), shown.decode()


def run_flags(reference: ReferenceServer, model: str, *more: str) -> tuple[str, ...]:
    return ("run", "--backend", reference.base_url, "--model", model, "--warmup", "0", *more)


# --- a run from its start to its end ---------------------------------------------------------


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


# --- what is refused -------------------------------------------------------------------------


def refused(said: Said, database: Engine) -> str:
    """The one thing that is said of bad usage, which changes nothing."""
    assert said.code == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert runs.count(database) == 0
    assert said.err.endswith(".\n") and said.err.count("\n") == 1, said.err
    return said.err


NUMBERS = [
    name
    for name, field in RunConfig.model_fields.items()
    if {int, float} & {field.annotation, *get_args(field.annotation)}
]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", "", "-1", "nan", "inf", "1e999", "9" * 400, "0x10"])
def test_a_number_that_cannot_be_is_refused_by_its_flag(
    database: Engine, ask: Ask, name: str, value: str
) -> None:
    assert refused(ask("run", f"{flag(name)}={value}"), database).startswith(f"{flag(name)} must ")


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        (["--requests", "0"], "--requests must be at least 1"),
        (["--requests", "10001"], "--requests must be at most 10000"),
        (["--requests", "1.5"], "--requests must be a whole number"),
        (["--concurrency", "10001"], "--concurrency must be at most 10000"),
        (["--top-p", "0"], "--top-p must be more than 0"),
        (["--temperature", "2.5"], "--temperature must be at most 2"),
        (["--seed", "2147483648"], "--seed must be at most 2147483647"),
        (["--mode", "warp"], "--mode must be one of"),
        (["--client", "curl"], "--client must be one of"),
        (["--workload", "poem"], "--workload must be one of"),
        (["--workload", "file"], "--prompts are missing"),
        (["--workload", "text"], "--prompt is empty"),
        (["--prompt", " "], "--prompt is empty"),
        (["--prompt", "\udcff"], "--prompt holds a character that is not text"),
        (["--model", "\udcff"], "--model holds a character that is not text"),
        (["--model", "x" * 301], "--model must have at most 300 characters"),
        (["--prompt", "a", "--prompts", "b"], "--prompt and --prompts do not go together"),
        (["--prompt", "a", "--workload", "builtin"], "--prompt is for --workload text only"),
        (["--input-tokens", "9", "--workload", "text"], "--input-tokens is for --workload synth"),
        (["--name", "x" * 201], "--name: The name has 201 characters"),
        (["--note", "x" * 10_001], "--note: The note has 10,001 characters"),
        (["--tag", "a,b"], "--tag: The tag 'a,b' holds a comma"),
        (["--tag", "x" * 51], "--tag: The tag 'xxxxxxxxxxxxxxxxxxxx' has 51 characters"),
        (["--backend", "nowhere"], "--backend: There is no backend 'nowhere'"),
        (["--backend", ""], "--backend: There is no backend ''"),
        (
            ["--backend", "127.0.0.1:8000"],
            "--backend is not an address: it must start with http://",
        ),
        (["--backend", "http://"], "--backend is not an address"),
        (["--backend", "ftp://127.0.0.1"], "--backend is not an address"),
        (["--backend", "http://127.0.0.1:99999"], "--backend is not an address"),
        (["--backend", "http://[::1"], "--backend is not an address"),
        (["--backend", "http://a b"], "--backend holds a host name"),
        (["--backend", "http://127.0.0.1:0"], "--backend has port 0"),
        (["--backend", "http://127.0.0.1", "--base-url", "http://10.0.0.1"], "--base-url is for"),
        (["--backend", "url"], "--backend: OpenAI-compatible URL needs an address"),
        (["--backend", "url", "--base-url", "x"], "--base-url is not an address"),
        (["--base-url", "http://127.0.0.1"], "--backend: The embedded backend has no address"),
        (["--model", "another"], "--backend: The embedded backend serves smollm2-135m-instruct"),
        (["--backend", "groq", "--model", "x"], "--backend: Groq needs a key: put GROQ_API_KEY=…"),
        (["--backend", "openai", "--model", "x"], "--backend: OpenAI needs a key"),
        (["--backend", "groq", "--ignore-eos"], "--backend: Groq does not know --ignore-eos"),
        (["--backend", "litellm"], "--backend: LiteLLM needs a model"),
        (["--pause"], "--pause: expected one argument"),
        (["--speed", "9"], "There is no --speed here"),
        (["--req", "9"], "There is no --req here"),
        (["now"], "There is no 'now' here"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_the_flag_typed(
    database: Engine, ask: Ask, typed: Sequence[str], begins: str
) -> None:
    assert refused(ask("run", *typed), database).startswith(begins)


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ([], "The following arguments are required: COMMAND"),
        (["fly"], "COMMAND: invalid choice: 'fly'"),
        (["show"], "The following arguments are required: RUN"),
        (["show", "1"], "There is no run 1. It may have been deleted. `python cli.py list` lists"),
        (["show", "0"], "RUN: '0' is not a whole number from 1"),
        (["show", "-1"], "RUN: '-1' is not"),
        (["show", "one"], "RUN: 'one' is not"),
        (["show", "٣"], "RUN: '٣' is not"),
        (["show", str(10**30)], "RUN: '1000000000000000000000000000000' is not"),
        (["show", "9" * 5000], "RUN: '9999"),
        (["export", "1"], "There is no run 1."),
        (["export", "1", "--format", "page.pdf"], "--format: invalid choice: 'page.pdf'"),
        (["export", "1", "2"], "--format: requests.csv takes one run, not 2."),
        (["export", "1", "--format", "comparison.csv"], "--format: comparison.csv takes 2 to 8"),
        (["compare", "1"], "Compare takes 2 to 8 runs, not 1."),
        (["compare", *"123456789"], "Compare takes 2 to 8 runs, not 9."),
        (["compare", "1", "2"], "There is no run 1."),
        (["compare", "1", "1"], "Run 1 is named twice."),
        (["compare", "1", "2", "--within", "0"], "--within: '0' is not a percentage"),
        (["compare", "1", "2", "--within", "a few"], "--within: 'a few' is not"),
        (["compare", "1", "2", "--fail-if", "slower,worse"], "--fail-if: 'worse' is not a verdict"),
        (["compare", "1", "2", "--measure", "speed"], "--measure: invalid choice: 'speed'"),
        (["compare", "1", "2", "--measure", "ttft"], "--measure and --allow-no-verdict go with"),
        (["check", "1"], "The following arguments are required: --slo"),
        (
            ["check", "1", "--slo", "ttft:p95"],
            "--slo: “ttft:p95” is not a condition. Put it in quo",
        ),
        (["check", "1", "--slo", "speed>1"], "--slo: Unknown metric speed; choose from ttft, ttfa"),
        (
            ["check", "1", "--slo", "ttft<1"],
            "--slo: ttft needs a statistic, one of median, p50, mean",
        ),
        (
            ["check", "1", "--slo", "error_rate:p95<1"],
            "--slo: error_rate is a single number for the run",
        ),
        (
            ["check", "1", "--slo", "ttft:p95<500ms"],
            "--slo: “500ms” is not a number: ttft is in s,",
        ),
        (["check", "1", "--slo", "cost<nan"], "--slo: “nan” is not a number: cost is in USD"),
        (["check", "1", "--slo", "goodput>1", "--ttft-limit", "0"], "--ttft-limit must be more"),
        (["check", "9", "--slo", "goodput>1"], "There is no run 9."),
        (["more", *"123456789"], "One to 8 runs are measured again at a time, not 9."),
        (["list", "--limit", "0"], "--limit: '0' is not a whole number from 1"),
        (["list", "--limit", "few"], "--limit: 'few' is not"),
        (["list", "--status", "lost"], "--status: invalid choice: 'lost'"),
        (["list", "--mode", "warp"], "--mode: invalid choice: 'warp'"),
        (["list", "--backend", "nowhere"], "--backend: invalid choice: 'nowhere'"),
        (["backends", "nowhere"], "NAME: invalid choice: 'nowhere'"),
    ],
)
def test_a_command_that_cannot_be_is_refused_in_a_sentence(
    database: Engine, ask: Ask, typed: Sequence[str], begins: str
) -> None:
    assert refused(ask(*typed), database).startswith(begins)


def test_several_wrong_flags_are_each_named(database: Engine, ask: Ask) -> None:
    said = ask("run", "--requests", "0", "--pause", "-1")
    assert [line.split()[0] for line in said.err.splitlines()] == ["--requests", "--pause"]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("no.jsonl", None, "cannot read"),
        ("", None, "cannot read ''"),
        (".", None, "Is a directory"),
        ("notes.md", b"hello", "is neither .jsonl, .json, .csv, .tsv nor .txt"),
        ("empty.jsonl", b"", "holds no prompt"),
        ("half.jsonl", b'"a"\n{"prompt": ', "line 2: is not JSON"),
        ("bytes.jsonl", b'"\xff"', "line 1: is not UTF-8"),
        ("two.csv", b"a,b\n1,2\n", "names no column"),
        ("long.jsonl", b'"' + b"x" * 20_000_001, "At most 20 MB are read"),
    ],
)
def test_a_broken_file_of_prompts_is_refused(
    database: Engine, ask: Ask, tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    path = f"{tmp_path}/{name}" if name else ""
    sentence = refused(ask("run", "--prompts", path), database)
    assert sentence.startswith("--prompts: ") and words in sentence


@pytest.mark.parametrize(
    "typed",
    [
        ["--backend", "http://me:sk-topsecret-123456@127.0.0.1"],
        ["--backend", "me:sk-topsecret-123456@127.0.0.1"],
        ["--backend", "http://127.0.0.1/v1?key=sk-topsecret-123456"],
        ["--backend", "url", "--base-url", "me:sk-topsecret-123456@127.0.0.1"],
        ["--api-key", "sk-topsecret-123456"],
        ["--api-key=sk-topsecret-123456"],
    ],
)
def test_a_secret_in_the_wrong_place_is_not_said_again(
    database: Engine, ask: Ask, typed: Sequence[str]
) -> None:
    assert "topsecret" not in refused(ask("run", *typed), database)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:topsecret@127.0.0.1:1/paceline",
        "mysql://me:topsecret@127.0.0.1/paceline",
        "sqlite://",
        "sqlite:////dev/null/paceline.db",
        "paceline.db",
    ],
)
def test_a_database_that_cannot_be_used_is_said(ask: Ask, database: Engine, url: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACELINE_DATABASE_URL", url)
        said = ask("list")
    assert "PACELINE_DATABASE_URL" in refused(said, database)
    assert "topsecret" not in said.err


def test_a_database_that_fails_later_is_said_too(ask: Ask, database: Engine) -> None:
    store(database)
    with database.begin() as connection:
        connection.execute(text("DROP TABLE requests"))
    said = ask("show", "1")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("The database cannot be used: no such table: requests. Check ")
    assert said.err.count("\n") == 1


def test_a_queue_that_cannot_be_worked_off_is_said(ask: Ask, database: Engine) -> None:
    beside(database, "lock").mkdir()
    said = ask("run", "--requests", "1")
    assert "The queue cannot be worked off: Is a directory" in refused(said, database)


def test_settings_that_cannot_be_read_are_said(
    ask: Ask, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    (tmp_path / ".env").write_bytes(b"KEY=topsecret-\xfc\n")
    said = refused(ask("list"), database)
    assert said.startswith(f"{tmp_path}/.env is not UTF-8 text in line 1.")
    assert "topsecret" not in said


# --- where it is printed ---------------------------------------------------------------------


@pytest.mark.parametrize("typed", [["list"], ["show", "1", "--json"], ["export", "1"]])
def test_output_that_cannot_be_written_is_said(database: Engine, typed: Sequence[str]) -> None:
    store(database)
    with open("/dev/full", "wb") as full:
        said = ended(started(*typed, stdout=full))
    assert (said.code, said.err) == (
        2,
        "Cannot write to standard output: No space left on device.\n",
    )


def test_nothing_is_begun_where_there_is_nowhere_to_print_to(database: Engine) -> None:
    closed = ["sh", "-c", f'"{sys.executable}" cli.py run >&-']
    said = ended(subprocess.Popen(closed, cwd=ROOT, stderr=subprocess.PIPE))
    assert said.code == 2
    assert said.err.startswith("Standard output is closed")
    assert runs.count(database) == 0


def test_a_reader_who_has_seen_enough_is_no_fault(database: Engine) -> None:
    store(database)
    process = started("export", "1", "--format", "page.html")
    assert process.stdout and process.stderr
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0
    process.stderr.close()


def test_a_terminal_without_unicode_shows_what_it_can(database: Engine) -> None:
    store(database, name="Grüße")
    said = ended(started("list", env={**os.environ, "PYTHONIOENCODING": "ascii"}))
    assert (said.code, said.err) == (0, "")
    assert "Gr??e" in said.out


def test_a_name_cannot_steer_the_terminal(database: Engine, ask: Ask) -> None:
    store(database, name="red \x1b[31m alert", error="bell \x07")
    assert "\x1b" not in ask("list").out + ask("show", "1").out
    assert "\x07" not in ask("show", "1").out


@pytest.mark.parametrize("kind", [entry.name for entry in EXPORTS])
def test_every_export_is_written_to_a_file_as_to_standard_output(
    database: Engine, ask: Ask, tmp_path: Path, kind: str
) -> None:
    ids = [str(store(database)), str(store(database))]
    (entry,) = [entry for entry in EXPORTS if entry.name == kind]
    chosen = ids[: entry.least]
    file = tmp_path / kind
    said = ask("export", *chosen, "--format", kind, "--output", str(file))
    assert said.out == f"{file}: {file.stat().st_size:,} bytes\n"
    printed = ask("export", *chosen, "--format", kind).out
    assert printed.encode(errors="surrogateescape") == file.read_bytes()


@pytest.mark.parametrize("output", ["{here}", "{here}/no/such/folder", "", "/dev/full"])
def test_a_file_that_cannot_be_written_is_said(
    database: Engine, ask: Ask, tmp_path: Path, output: str
) -> None:
    store(database)
    said = ask("export", "1", "--output", output.format(here=tmp_path))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("--output: cannot write ")


# --- a page for others -----------------------------------------------------------------------


def test_a_page_is_shared_listed_and_revoked(database: Engine, ask: Ask) -> None:
    assert ask("share", "--list").out == "Nothing is shared.\n"
    store(database, name="A"), store(database, name="B")
    path, about = ask("share", "1", "2").out.splitlines()
    assert path.startswith("/share/")
    assert f"http://127.0.0.1:8501{path}, until 20" in about
    for_ever = ask("share", "1", "--days", "0", "--texts").out
    assert "until it is revoked. Prompts and answers are on it." in for_ever
    listed = json.loads(ask("share", "--list", "--json").out)
    assert [(share["title"], share["run_ids"]) for share in listed] == [
        ("A", [1]),
        ("B against A", [1, 2]),
    ]
    assert path in ask("share", "--list", "1", "2").out
    assert path not in ask("share", "--list", "1").out
    assert ask("share", "--revoke", path).code == 0
    assert path not in ask("share", "--list").out
    said = ask("share", "--revoke", path)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Nothing is shared under this token.")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ([], "A shared page shows one to 8 runs, each of them once."),
        (["1", "1"], "A shared page shows one to 8 runs, each of them once."),
        (["1", "--days", "3651"], "A link is good for 1 to 3,650 days, or until revoked."),
        (["1", "--days", "-1"], "--days: "),
        (["7"], "There is no run 7."),
        (["--list", "--revoke", "x"], "--revoke: not allowed with"),
    ],
)
def test_what_cannot_be_shared_is_said(
    database: Engine, ask: Ask, typed: list[str], words: str
) -> None:
    store(database)
    said = ask("share", *typed)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(words)


# --- reading ---------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_and_narrowed(database: Engine, ask: Ask) -> None:
    assert ask("list").out == "No run is stored.\n"
    store(database, name="first", tags=["keep"])
    store(database, name="second", mode="staggered")
    assert [run["name"] for run in json.loads(ask("list", "--json").out)] == ["second", "first"]
    for narrowed in (["fir"], ["--tag", "keep"], ["--mode", "batch"], ["--limit", "1", "first"]):
        (found,) = json.loads(ask("list", *narrowed, "--json").out)
        assert found["name"] == "first"
    assert ask("list", "third").out == "No run matches.\n"
    assert json.loads(ask("list", "third", "--json").out) == []


def test_runs_are_compared_with_the_first(database: Engine, ask: Ask) -> None:
    ids = [str(store(database, name=name)) for name in ("A", "B")]
    found = json.loads(ask("compare", *ids, "--json").out)
    assert found["schema"] == "paceline/comparison/2"
    assert [run["id"] for run in found["runs"]] == [1, 2]
    assert {"verdicts", "rows", "differences", "warnings"} < set(found)
    said = ask("compare", *ids)
    assert said.code == 0
    assert "1 · A (baseline)  2 · B" in said.out


SLOWER = [measured(0, repeat=r, e2e=6.0 * f) for r, f in enumerate((1.00, 1.01, 0.99))]
FASTER = [measured(0, repeat=r, e2e=3.0 * f) for r, f in enumerate((1.00, 1.01, 0.99))]


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ([], 0, ""),
        (["--fail-if", "slower"], 1, "B against A: slower, by output throughput.\n"),
        (["--fail-if", "faster,inconclusive"], 0, ""),
        (["--fail-if", "faster", "--fail-if", "slower"], 1, "B against A: slower, by output thr"),
        (["--fail-if", "slower", "--measure", "ttft"], 0, ""),
        (
            ["--fail-if", "equivalent", "--measure", "ttft", "--within", "1"],
            1,
            "B against A: equivalent within ±1 %, by median TTFT.\n",
        ),
    ],
)
def test_a_verdict_is_a_gate(
    database: Engine, ask: Ask, flags: Sequence[str], code: int, sentence: str
) -> None:
    store(database, FASTER, name="A", repeats=3), store(database, SLOWER, name="B", repeats=3)
    found = ask("compare", "1", "2", *flags)
    assert found.code == code
    assert found.err.startswith(sentence) and bool(found.err) == bool(sentence)
    assert "B has 50 % lower output throughput than A" in found.out


def test_what_nobody_can_tell_passes_no_gate_unless_it_may(database: Engine, ask: Ask) -> None:
    store(database, name="A"), store(database, name="B")
    found = ask("compare", "1", "2", "--fail-if", "slower", "--json")
    assert (found.code, found.err) == (1, "B against A: no verdict, by output throughput.\n")
    assert json.loads(found.out)["verdicts"][0]["word"] == "no verdict"
    assert ask("compare", "1", "2", "--fail-if", "slower", "--allow-no-verdict").code == 0


def test_a_run_is_held_to_conditions(database: Engine, ask: Ask) -> None:
    store(database, [measured(i) for i in range(80)], ttft_limit_s=2.0)
    kept = ask(
        "check", "1", "--slo", "ttft:p95<1.5", "--slo", "error_rate<=0", "--slo", "goodput>9"
    )
    assert (kept.code, kept.err) == (0, "")
    assert kept.out.splitlines() == [
        "✓ passed: TTFT, p95 < 1.50 s: measured 1.00 s",
        "✓ passed: Error rate ≤ 0 %: measured 0 %",
        "✓ passed: Goodput > 9.00 queries/s: measured 26.7 queries/s",
    ]
    missed = ask("check", "1", "--slo", "ttft:p95<1", "--slo", "ttft:p99<9", "--json")
    assert missed.code == 1
    first, second = json.loads(missed.out)
    assert (first["slo"], first["value"], first["passed"]) == ("ttft:p95<1", 1.0, False)
    assert second["value"] is None and not second["passed"]
    assert "needs 368 requests; there are 80" in second["sentence"]


def test_conditions_on_goodput_need_objectives(database: Engine, ask: Ask) -> None:
    store(database)
    without = ask("check", "1", "--slo", "attainment>0.5")
    assert without.code == 1 and "no objective is set. Set one: --ttft-limit 0.5" in without.out
    given = ask(
        "check",
        "1",
        "--slo",
        "attainment>0.5",
        "--slo",
        "cost<1",
        "--e2e-limit",
        "5",
        "--usd-per-hour",
        "2",
    )
    assert given.code == 0, given.out


def test_a_run_that_did_not_end_keeps_no_condition(database: Engine, ask: Ask) -> None:
    store(database, status="interrupted")
    found = ask("check", "1", "--slo", "ttft:median<9")
    assert found.code == 1
    assert found.out.startswith("✗ failed: Run 1 did not finish: it is interrupted.\n✓")


def test_backends_are_listed_and_tested_without_showing_a_key(
    ask: Ask, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    monkeypatch.setenv("PACELINE_URL", reference.base_url)
    said = [ask("backends", "openai", *more) for more in ([], ["--json"], ["--test"])]
    said.append(ask("backends", "url", "--test"))
    assert [each.code for each in said] == [0, 0, 0, 0]
    assert not any(key in each.out + each.err for each in said)
    (row,) = json.loads(said[1].out)
    assert (row["key_set"], row["address"]) == (True, reference.base_url)
    assert "2 models, streaming not tested, because no model is chosen" in said[2].out
    assert "2 models, streams, reports usage, round trip" in said[3].out


def test_no_output_holds_a_key(
    ask: Ask, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "fake-0123456789abcdefghij"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    flags = ("--backend", "openai", "--model", "ref fault=needs-key", "--requests", "1")
    said = [ask("run", *flags), ask("show", "1", "--json"), ask("list", "--json")]
    said += [ask("export", "1", "--format", entry.name) for entry in EXPORTS if entry.takes(1)]
    assert [each.code for each in said] == [1, *[0] * (len(said) - 1)]
    assert "401" in said[0].out
    assert not any(key in each.out + each.err for each in said)


def test_the_console_command_is_the_same_from_any_folder(database: Engine, tmp_path: Path) -> None:
    (tmp_path / "paceline").symlink_to(ROOT / "paceline")
    listed = subprocess.run(
        [tmp_path / "paceline", "backends", "embedded", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [row["name"] for row in json.loads(listed.stdout)] == ["embedded"]


def test_every_command_explains_itself(ask: Ask) -> None:
    for name in cli.COMMANDS:
        said = ask(*name.split(), "--help")
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith(f"usage: cli.py {name}")
    for field in RunConfig.model_fields:
        if field != "unique_prompts":
            assert flag(field) in ask("run", "--help").out


def test_a_run_is_pinned_and_the_list_says_how_the_others_stand(database: Engine, ask: Ask) -> None:
    for _ in range(2):
        store(database, tags=["nightly"])
    assert "vs baseline" not in ask("list").out
    assert ask("pin", "1").out == "Run 1 is now the baseline of model tiny.\n"
    assert ask("pin", "1", "--tag", "nightly").out == "Run 1 is now the baseline of tag nightly.\n"
    lines = ask("list").out.splitlines()
    assert "vs baseline" in lines[0]
    assert "no verdict" in lines[2] and "baseline" in lines[3]
    later, first = json.loads(ask("list", "--json").out)
    assert (later["against"]["baseline"], later["against"]["kind"]) == (1, "tag")
    assert first["against"]["word"] == "baseline"
    assert ask("unpin", "1", "--model").out == "Run 1 is no longer the baseline of model tiny.\n"
    assert ask("unpin", "1").out == "Run 1 is no longer the baseline of tag nightly.\n"
    assert "vs baseline" not in ask("list").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pin", "9"], "There is no run 9."),
        (["pin", "1", "--tag", "a,b"], "The tag 'a,b' holds a comma."),
        (["pin", "1", "--model", "--tag", "a"], "not allowed with argument --model"),
        (["unpin", "1"], "Run 1 is not the baseline of that."),
        (["unpin", "9"], "There is no run 9."),
    ],
)
def test_what_cannot_be_pinned_is_said(
    database: Engine, ask: Ask, words: list[str], said: str
) -> None:
    store(database)
    answer = ask(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


# --- comparisons and further repeats ---------------------------------------------------------


def test_a_comparison_without_runs_measures_them_first(
    reference: ReferenceServer, ask: Ask
) -> None:
    flags = run_flags(reference, "ref tokens=3", "--requests", "2", "--pause", "0")[1:]
    said = ask("compare", *flags, "--with", "mode=batch", "--repeats", "3", "--json")
    assert (said.code, said.err) == (0, "")
    document = json.loads(said.out)
    assert [run["id"] for run in document["runs"]] == [1, 2]
    assert [len(runs.load(opened(), run_id).repeats) for run_id in (1, 2)] == [3, 3]
    more = json.loads(ask("more", "1", "2", "--repeats", "1", "--json").out)
    assert [run["id"] for run in more["runs"]] == [1, 2]
    assert [len(runs.load(opened(), run_id).repeats) for run_id in (1, 2)] == [4, 4]
    said = ask("more", "1", "--repeats", "47")
    assert (said.code, "1 to 46 more" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--with", "mode"], "--with takes what changes, as in mode=batch,concurrency=8"),
        (["--with", "mode=none"], "--mode must be one of"),
        (["--with", "prompt=x"], "--prompt is not taken from a link"),
        (["--with", "mode=batch", "--repeats", "60"], "must be at most 50"),
        (["--with", "mode=batch", "--most", "3"], "the most cannot be fewer"),
        (["--with", "mode=batch", "--target", "0"], "not a percentage from 0.1 to 100"),
        (["--with", "mode=batch"] * 9, "2 to 8 candidates"),
        ([], "Name the runs to compare, or say --with what another candidate changes."),
        (["1", "2", "--with", "mode=batch"], "--with is for a comparison that is measured first"),
        (["1", "2", "--mode", "batch"], "--mode is for a comparison that is measured first"),
        (["--with", "mode=batch", "--measure", "ttft"], "go with --fail-if"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused(ask: Ask, arguments: list[str], words: str) -> None:
    said = ask("compare", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
    assert not runs.count(opened())


def test_files_of_other_tools_are_imported(ask: Ask, database: Engine, tmp_path: Path) -> None:
    data = ROOT / "tests" / "data" / "imports"
    files = [str(data / name) for name in ("vllm/result.json", "guidellm/report.json")]
    told = ask("import", *files, "--json")
    assert told.code == 0
    assert json.loads(told.out) == [
        {"file": "result.json", "runs": [1]},
        {"file": "report.json", "runs": [2]},
    ]
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    told = ask("import", files[0], str(bad), str(tmp_path / "none.json"))
    assert told.code == 2
    assert "result.json: it has been imported already, as run 1" in told.err
    assert "bad.json: Its JSON is incomplete" in told.err
    assert "Cannot read" in told.err
    assert ask("import", files[0], "--again").out == "result.json: run 3\n"
    assert "imported from guidellm" in ask("list", "--backend", "import").out
    assert "imported from vLLM bench" in ask("show", "1").out
    assert "imported from guidellm" in ask("compare", "1", "2").out
