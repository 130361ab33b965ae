"""`server`: saved under a name, picked by it, deleted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import Engine

from db import runs, servers
from db.database import connect, writing
from jobs import retry
from tests.cli.conftest import RunCli
from tests.conftest import ReferenceServer


def save(run_cli: RunCli, name: str, url: str, model: str) -> None:
    result = run_cli("server", "save", name, "--backend", url, "--model", model)
    assert result == (0, f"Saved. Use it with --backend {name}.\n", "")


@pytest.mark.long
def test_a_saved_server_is_measured_by_its_name(
    run_cli: RunCli, database: Engine, reference: ReferenceServer
) -> None:
    save(run_cli, "lab", reference.base_url, "ref tokens=3")
    result = run_cli("run", "--backend", "lab", "--requests", "1", "--warmup", "0", "--json")
    assert result.code == 0, result.err
    config = runs.load(database, json.loads(result.out)["run"]["id"]).config
    assert (config.backend, config.base_url) == ("url", reference.base_url)
    assert (config.model, config.requests) == ("ref tokens=3", 1)


@pytest.mark.long
def test_two_saved_servers_are_compared(
    run_cli: RunCli, database: Engine, reference: ReferenceServer
) -> None:
    save(run_cli, "a", reference.base_url, "ref tokens=3")
    save(run_cli, "b", reference.base_url, "ref tokens=4")
    arguments = ("--requests", "1", "--warmup", "0", "--repeats", "1", "--json")
    result = run_cli("compare", "--backend", "a", "--with", "backend=b", *arguments)
    assert result.code == 0, result.err
    configs = [row.config for row in (runs.load(database, 1), runs.load(database, 2))]
    assert [config.model for config in configs] == ["ref tokens=3", "ref tokens=4"]


def test_saved_servers_are_listed_without_a_key_and_deleted(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROD_API_KEY", "sk-hunter2")
    address = ("--backend", "http://gpu-7/v1", "--key-env", "PROD_API_KEY")
    assert run_cli("server", "save", "prod", *address).code == 0
    listed = run_cli("server", "list")
    assert "prod" in listed.out and "gpu-7" in listed.out and "PROD_API_KEY" in listed.out
    assert "hunter2" not in listed.out + run_cli("server", "list", "--json").out
    assert run_cli("server", "delete", "prod").out == "prod was deleted.\n"
    assert run_cli("server", "list").out.startswith("No server is saved.")
    gone = run_cli("server", "delete", "prod")
    assert gone.code == 2 and gone.err == "No server is saved as 'prod'.\n"


def test_an_error_in_a_saved_server_names_the_flag(run_cli: RunCli, database: Engine) -> None:
    for arguments, message in (
        (("vllm",), "vllm is already a backend. Choose another name."),
        (("a", "--backend", "nope"), "--backend: There is no backend 'nope'."),
        (("a", "--key-env", "sk-hunter2"), "--key-env must be the name of a variable"),
    ):
        result = run_cli("server", "save", *arguments)
        assert (result.code, result.out) == (2, "") and result.err.startswith(message)
        assert "hunter2" not in result.err
    assert servers.list_all(database) == {}


@pytest.mark.long
def test_a_command_waits_until_the_database_is_no_longer_locked(
    run_cli: RunCli, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, locked, reported = connect(str(database.url)), Event(), Event()
    report = retry.reason

    def reason(error: Exception) -> str:
        reported.set()
        return report(error)  # type: ignore[arg-type]

    def lock() -> bool:
        with writing(other):
            locked.set()
            return reported.wait(30)

    monkeypatch.setattr(retry, "reason", reason)
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10").close()
    with ThreadPoolExecutor() as pool:
        holds = pool.submit(lock)
        assert locked.wait(10)
        result = run_cli("server", "save", "lab", "--backend", "http://127.0.0.1:9/v1")
        assert holds.result(), "it did not wait"
    assert result.code == 0 and [*servers.list_all(database)] == ["lab"]
    assert result.err == "The database cannot be written: database is locked; trying again.\n"
