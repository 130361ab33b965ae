"""`batch`: OpenAI's files in, answers out; queued prompts go on without the terminal."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

import cli
import jobs
from db import servers, task_batches
from services.ask.saved_server import saved_server
from services.ask.tasks import TaskBatch
from tests.conftest import ReferenceServer


@pytest.fixture
def file(database: Engine, reference: ReferenceServer, tmp_path: Path) -> str:
    """A batch file of two prompts, and a saved server that answers them."""
    values = {"backend": "url", "base_url": reference.base_url}
    servers.save(database, saved_server("here", values))
    bodies = [{"model": "ref tokens=2", "messages": [{"content": f"Say {n}"}]} for n in (1, 2)]
    lines = [json.dumps({"custom_id": str(n), "body": body}) for n, body in enumerate(bodies)]
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.long
@pytest.mark.slow
def test_a_file_of_prompts_becomes_a_file_of_answers(
    database: Engine, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answers.jsonl"
    assert cli.main(["batch", "run", file, "--backend", "here", "--output", str(out)]) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["custom_id"] for answer in answers] == ["0", "1"]
    assert all(answer["response"]["body"]["choices"] for answer in answers)
    batch = task_batches.list_all(database)[0].batch_id
    assert cli.main(["batch", "output", batch, "--format", "csv", "--output", str(out)]) == 0
    rows = csv.DictReader(out.read_text().splitlines())
    assert [row["prompt"] for row in rows] == ["Say 1", "Say 2"]
    assert cli.main(["batch", "list"]) == 0
    assert "2 completed" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.slow
def test_a_batch_ends_although_its_supervisor_died_and_the_database_was_locked(
    database: Engine, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure, load, ensured, loaded = jobs.ensure, task_batches.load, iter([True]), iter([True])

    def dies_at_first(database: Engine) -> None:
        if not next(ensured, False):
            ensure(database)

    def locked_at_first(database: Engine, batch_id: str) -> TaskBatch:
        if next(loaded, False):
            raise OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked"))
        return load(database, batch_id)

    monkeypatch.setattr(jobs, "ensure", dies_at_first)
    monkeypatch.setattr(task_batches, "load", locked_at_first)
    assert cli.main(["batch", "run", file, "--backend", "here"]) == 0
    answers, notes = capsys.readouterr()
    assert len(answers.splitlines()) == 2
    assert "The database cannot be read: database is locked; trying again." in notes


@pytest.mark.long
def test_a_batch_is_left_queued_and_cancelled(
    database: Engine,
    file: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda database: None)
    assert cli.main(["batch", "run", file, "--backend", "here", "--no-wait"]) == 0
    batch = capsys.readouterr().out.strip()
    assert cli.main(["batch", "output", batch]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["batch", "cancel", batch]) == 0
    assert capsys.readouterr().out.strip() == f"{batch}: 2 cancelled"
    assert task_batches.load(database, batch).ended
    assert cli.main(["batch", "cancel", "batch_none"]) == 2


def test_an_output_that_cannot_be_written_is_refused_before_prompts_are_queued(
    database: Engine, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path, tmp_path / "none" / "answers.jsonl"):
        assert cli.main(["batch", "run", file, "--backend", "here", "--output", str(path)]) == 2
        assert "--output: cannot write" in capsys.readouterr().err
    assert task_batches.count(database) == 0
