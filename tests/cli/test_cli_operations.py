"""`doctor`, `backup` and `restore` in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import runs, task_batches, tasks
from jobs import inference
from services.ask.tasks import NewTask
from tests.cli.conftest import RunCli
from tests.conftest import ReferenceServer
from tests.stored import store


@pytest.mark.long
def test_a_backup_is_restored(run_cli: RunCli, database: Engine, tmp_path: Path) -> None:
    store(database, name="Kept")
    file = tmp_path / "paceline.backup"
    assert run_cli("backup", str(file)).out.startswith(f"{file}: ")
    refused = run_cli("backup", str(file))
    assert refused.code == 2 and "already exists" in refused.err
    runs.delete(database, 1)
    database.dispose()
    result = run_cli("restore", str(file), "--json")
    assert result.code == 0, result
    assert Path(json.loads(result.out)["kept"]).exists()
    assert runs.load(database, 1).name == "Kept"


@pytest.mark.slow
def test_a_restore_is_refused_while_a_task_has_not_ended(
    run_cli: RunCli, database: Engine, reference: ReferenceServer, tmp_path: Path
) -> None:
    file = tmp_path / "paceline.backup"
    run_cli("backup", str(file))
    server = {"backend": "url", "base_url": reference.base_url, "model": "ref ttft=60"}
    batch = inference.submit(database, "me", [NewTask("question", server)]).batch_id
    refused = run_cli("restore", str(file))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "The supervisor is running, for runs, tasks or engines. Cancel or stop them, stop "
        "Paceline, then restore.\n"
    )
    assert tasks.active(database), "nothing was replaced"
    task_batches.cancel(database, batch)


def test_doctor_finds_no_problem_in_a_working_setup_and_shows_no_key(
    run_cli: RunCli, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-a-secret-of-somebody")
    result = run_cli("doctor")
    assert result.code == 0, result
    assert "No problems found." in result.out and "Set: GROQ_API_KEY" in result.out
    assert "(the newest)" in result.out and "secret" not in result.out + result.err
    document = json.loads(run_cli("doctor", "--json").out)
    assert document["healthy"] and {"subject", "level", "text", "todo"} == set(
        document["findings"][0]
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PACELINE_DATABASE_URL", "postgresql://a:hush@127.0.0.1:9/b", "cannot be used"),
        ("PACELINE_DATABASE_URL", "mysql://a:hush@b/c", "not the address of a supported database"),
        ("PACELINE_ALLOWED_HOSTS", "*", "but a pattern"),
        ("PACELINE_SIGN_IN", "on", "nobody is an admin"),
    ],
)
def test_doctor_reports_an_invalid_setting_and_exits_with_1(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv("PACELINE_ADMINS", "")
    monkeypatch.setenv(name, value)
    result = run_cli("doctor")
    assert result.code == 1 and sentence in result.out, result
    assert "PROBLEM" in result.out and "hush" not in result.out + result.err
