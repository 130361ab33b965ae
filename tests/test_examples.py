"""Every command line and every request that the documentation shows, done as it is written.

Where a line means a model server, the reference server stands in for it; vLLM and Ray are not
installed, and what would start them ends in the refusal that says so.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from sqlalchemy import Engine

import cli
import jobs
from db import engines as stored_engines
from db import queue, runs, studies
from jobs import studies as study_jobs
from services.ask.config import parse
from services.ask.measurement import ACTIVE
from services.report import scenario
from services.report.scenario import shape
from services.servers.engines import EngineConfig
from services.studies.study_config import StudyConfig
from tests.api.conftest import call
from tests.conftest import ROOT, ReferenceServer, copied, started_engines_end
from tests.receiver import receiving
from tests.stored import store

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MODEL = "ref tokens=3"
SOONER = ("--no-calibrate",)
NOT_INSTALLED = {
    "--engine vllm": "vLLM is not installed: ",
    "--engine ray": "Ray Serve is not installed: ",
}
BATCH_FILE = '{"custom_id": "1", "body": {"model": "m", "messages": [{"content": "Hi"}]}}\n'
MAY_FAIL = ("--fail-if", "check", "batches.yaml")  # whether a condition holds is not what is tested


def lines(start: str) -> list[str]:
    """The lines of every block of commands that begin so, those that go on joined."""
    commands: list[str] = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL):
            commands += block.replace("\\\n", " ").splitlines()
    return list(
        dict.fromkeys(" ".join(line.split()) for line in commands if line.startswith(start))
    )


def scenarios_by_file() -> dict[str, str]:
    """The scenarios of the documentation, by the file name in their first line."""
    blocks = (
        block
        for page in PAGES
        for block in re.findall(r"```yaml\n(# .*?)```", page.read_text(), re.DOTALL)
    )
    return {block.splitlines()[0].removeprefix("# "): block for block in blocks}


@pytest.fixture(scope="module")
def prepared_file(
    empty_file: Path, reference: ReferenceServer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A SQLite file with fifteen runs and three studies of the reference server, and an engine that
    waits to start. Each line has a copy of its own."""
    folder = tmp_path_factory.mktemp("prepared")
    server = {"backend": "url", "base_url": reference.base_url, "model": MODEL}
    with pytest.MonkeyPatch.context() as here, copied(empty_file, folder, here) as database:
        here.setattr(jobs, "ensure", lambda engine: None)  # no supervisor processes them
        for _ in range(15):
            store(database, **server)
        stored_engines.create(database, EngineConfig(engine="vllm", model="org/model"))
        cell = parse({**server, "requests": 2, "warmup": 0, "mode": "batch"})
        for _ in range(3):
            study = StudyConfig(preset="concurrency", run=cell, concurrencies=(1, 2))
            number = study_jobs.submit(database, study)
            for run, status in zip(
                studies.load(database, number).runs, ("failed", "interrupted"), strict=True
            ):
                queue.finish(database, run.id, status, "It broke.")
        database.dispose()  # all is in the file
    return folder / "paceline.db"


@pytest.fixture
def prepared(
    prepared_file: Path,
    reference: ReferenceServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Engine]:
    """Such a database, in a folder with the files of the documentation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VLLM_BASE_URL", reference.base_url)
    for name in ("PACELINE_VLLM_PYTHON", "PACELINE_RAY_PYTHON"):
        monkeypatch.setenv(name, str(tmp_path / "not" / "python"))
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")  # of the runs that other lines start
    for name in ("PACELINE_URL", "OPENAI_API_KEY", "GROQ_API_KEY", "LITELLM_MODEL"):
        monkeypatch.setenv(name, "")
    shutil.copy(ROOT / "tests" / "data" / "imports" / "vllm" / "result.json", tmp_path)
    samples = Path("services", "ask", "workloads", "samples")
    shutil.copytree(ROOT / samples, tmp_path / samples)
    for name, text in scenarios_by_file().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "prompts.jsonl").write_text(BATCH_FILE)
    with copied(prepared_file, tmp_path, monkeypatch) as database, receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        yield database
        started_engines_end(database)


def to_the_reference(arguments: list[str], server: ReferenceServer) -> list[str]:
    """Let a command that measures a server measure the one that is there."""
    measures = arguments[0] in ("run", "study") or (
        arguments[0] == "compare"
        and ("--with" in arguments or any(a.endswith(".yaml") for a in arguments))
    )
    if not measures or "--engine" in arguments:
        return arguments
    at = [server.base_url if argument.startswith("http://") else argument for argument in arguments]
    backend = [] if "--backend" in at else ["--backend", server.base_url]
    return [*at, *backend, "--model", MODEL, *SOONER, *_without_waiting(at)]


def _without_waiting(arguments: list[str]) -> list[str]:
    """The flag for the client's own wait, which is refused where no run has it."""
    if "staggered" in arguments:
        return ["--interval", "0.001"]
    sequential = not {"--mode", "--trace", "study"} & {*arguments}
    return ["--pause", "0"] * (sequential and not any(a.endswith(".yaml") for a in arguments))


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("line", lines("python cli.py "))
def test_a_command_of_the_documentation_works_as_written(
    prepared: Engine,
    reference: ReferenceServer,
    capfdbinary: pytest.CaptureFixture[bytes],
    line: str,
) -> None:
    command, _, file = line.removeprefix("python cli.py ").partition(" > ")
    code = cli.main(to_the_reference(shlex.split(command, comments=True), reference))
    out, err = (each.decode() for each in capfdbinary.readouterr())
    for engine, sentence in NOT_INSTALLED.items():
        if engine in line and "--plan" in line.partition("#")[0]:  # a plan is of any machine
            assert (code, err) == (0, "") and "can be measured here" in out, (code, out, err)
            return
        if engine in line:
            assert (code, out) == (2, "") and err.startswith(sentence), (code, out, err)
            return
    assert code in ((0, 1) if any(part in line for part in MAY_FAIL) else (0,)), (out, err)
    assert out.strip() and (not file or out.startswith("{"))
    if "--output" in line:
        name = command.partition("--output ")[2].split()[0]
        assert Path(name).stat().st_size > 100


@pytest.mark.parametrize("line", lines("curl "))
def test_a_request_of_the_documentation_works_as_written(
    prepared: Engine, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda engine: None)
    arguments = shlex.split(line, comments=True)[1:]
    options = dict(pairwise(arguments))
    (url,) = [argument for argument in arguments if argument.startswith("127.0.0.1:8501/")]
    if url.endswith("/runs/1/cancel"):  # one that has not ended
        url = url.replace("/1/", f"/{runs.create(prepared, parse({}), 'embedded')}/")
    header = dict([options["-H"].split(": ")]) if "-H" in options else {}
    file = options.get("--data-binary", "")
    answer = call(
        options.get("-X", "GET"),
        url.removeprefix("127.0.0.1:8501").removeprefix("/api"),
        headers=header,
        content=Path(file[1:]).read_bytes() if file else options.get("-d", "").encode(),
    )
    if '"engine": "vllm"' in line:
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(NOT_INSTALLED["--engine vllm"])
    else:
        assert 200 <= answer.status_code < 300, answer.text
    for row in runs.search(prepared):
        if row.status in ACTIVE:
            queue.finish(prepared, row.id, "cancelled")


@pytest.mark.parametrize(("name", "text"), scenarios_by_file().items())
def test_a_scenario_of_the_documentation_is_what_the_schema_says(name: str, text: str) -> None:
    document = scenario.read(text.encode(), name)
    schema = json.loads((ROOT / "docs" / "schema" / shape.NAME).read_text())
    Draft7Validator(schema).validate(document.values)
    again = scenario.write(scenario.scenario_of(document, scenario.Reading()), own_prompts=True)
    Draft7Validator(schema).validate(scenario.read(again, name).values)


def test_shared_blocks_are_found() -> None:
    assert len(lines("python cli.py ")) >= 22 and len(lines("curl ")) >= 11
    assert len(scenarios_by_file()) >= 5


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for word in re.findall(
            r"(?<!token )\bmake ([a-z-]+)\b",
            "\n".join(re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)),
        )
    }
    assert named and named <= targets
