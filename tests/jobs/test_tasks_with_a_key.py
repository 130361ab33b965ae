"""A key in .env goes with a task to the server that wants it, and is written down nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db import servers, task_batches, tasks
from db.tasks import TaskFilter
from jobs.supervisor_lock import supervisor_file
from services.ask.saved_server import saved_server
from services.ask.tasks import openai_batch
from tests.api.conftest import call
from tests.conftest import ROOT, ReferenceServer
from tests.reference import KEY

CODE = ("api", "cli", "db", "jobs", "services", "cli.py")
WRONG = "sk-wrong-0123456789abcdef"  # a server that is given it repeats it in its refusal


@pytest.fixture
def installed(database: Engine, tmp_path: Path, reference: ReferenceServer) -> Path:
    """Paceline in a folder of its own, beside a .env with the keys of a backend and of a saved
    server."""
    values = {"backend": "url", "base_url": reference.base_url, "key_env": "PROD_API_KEY"}
    servers.save(database, saved_server("prod", values))
    folder = tmp_path / "installed"
    for name in CODE:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    env = {"OPENAI_API_KEY": KEY, "PROD_API_KEY": WRONG}
    env |= {"OPENAI_BASE_URL": reference.base_url, "PROD_BASE_URL": reference.base_url}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))
    return folder


@pytest.mark.long
@pytest.mark.slow
def test_a_key_of_env_is_sent_to_its_server_and_written_nowhere(
    database: Engine, installed: Path, tmp_path: Path
) -> None:
    model = "ref tokens=2 fault=needs-key"
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"custom_id": "a", "body": body}) + "\n")
    env = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}
    said = ""
    for backend, code in (("openai", 0), ("prod", 1)):
        done = subprocess.run(
            [sys.executable, "cli.py", "batch", "run", str(file), "--backend", backend],
            cwd=installed,
            env={**env, "PACELINE_LOG": "json"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        said += done.stdout + done.stderr
    refused, answered = task_batches.list_all(database)
    assert (answered.counts, refused.counts) == ({"completed": 1}, {"failed": 1})
    for batch in (refused, answered):
        (task,) = tasks.find(database, TaskFilter(batch.batch_id))
        said += call("GET", f"/tasks/{task.task_id}").text
        said += call("GET", f"/inference/batch/{batch.batch_id}/output.jsonl").text
        said += b"".join(openai_batch.output_lines([task])).decode()
    assert "Incorrect API key" in said, "the server's own words are kept, without the key"
    folder = supervisor_file(database, "lock").parent
    written = [path for path in folder.iterdir() if path.is_file()]
    assert {"paceline.db"} < {path.name for path in written}, "the database and a log"
    kept = said.encode() + b"".join(path.read_bytes() for path in written)
    for key in (KEY, WRONG):
        assert key.encode() not in kept
