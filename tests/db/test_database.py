"""The engine, the pragmas, and a schema that is up to date before it is used."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from db import runs, schema, task_batches, tokens
from db.database import (
    DEFAULT_FILE,
    HERE,
    UPGRADE_LOCK,
    DatabaseGone,
    DatabaseProblem,
    connect,
    message_of,
    upgrade,
    writing,
)
from services.base.roles import Role, belongs_to

UPGRADE = """
import sys
from db.database import connect, upgrade
upgrade(connect(sys.argv[1]))
print("alembic" in sys.modules)
"""

TABLES = """
import sys
from sqlalchemy import inspect
from db.database import connect
print(inspect(connect(sys.argv[1])).get_table_names())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_migrations_create_the_tables_of_the_schema(blank_url: str) -> None:
    engine = connect(blank_url)
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert set(schema.metadata.tables) < set(inspect(connection).get_table_names())
    engine.dispose()


def test_the_revision_in_the_schema_is_that_of_the_last_migration() -> None:
    assert ScriptDirectory(str(HERE / "migrations")).get_heads() == [schema.REVISION]


@contextmanager
def older(database: Engine, revision: str) -> Iterator[Connection]:
    """Bring a blank database to a revision, to be filled as that version of Paceline did."""
    config = Config(attributes={})
    config.set_main_option("script_location", str(HERE / "migrations"))
    with writing(database) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection


def test_an_older_database_keeps_its_runs(blank_url: str) -> None:
    engine = connect(blank_url)
    with older(engine, "0001") as connection:
        connection.execute(
            text(
                "INSERT INTO runs (name, status, backend, model, mode, lane, config, created_at) "
                "VALUES ('old', 'done', 'embedded', 'm', 'batch', 'embedded', '{}', :now)"
            ),
            {"now": datetime(2026, 11, 1, tzinfo=UTC)},
        )
        connection.execute(text("INSERT INTO progress VALUES (1, 0.5, 0, 1, 1, 0, 0, 7)"))
    upgrade(engine)
    assert (runs.load(engine, 1).name, runs.load(engine, 1).calibration) == ("old", None)
    (moment,) = runs.progress(engine, 1)
    assert (moment.tokens, moment.lag_p99_s) == (7, None)
    engine.dispose()


def test_a_migration_does_not_reuse_the_id_of_a_token_that_owns_tasks(
    blank_url: str,
) -> None:
    engine = connect(blank_url)
    moment = {"now": datetime(2026, 11, 1, tzinfo=UTC)}
    with older(engine, "0022") as connection:
        for number in range(1, 8):
            connection.execute(
                text(
                    "INSERT INTO api_tokens (hash, name, role, created_at, expires_at) "
                    f"VALUES ('{number}', 'ci', 'runner', :now, :now)"
                ),
                moment,
            )
        connection.execute(text("DELETE FROM api_tokens WHERE id > 5"))
        connection.execute(
            text(
                "INSERT INTO task_batches (batch_id, caller, created_at, count) "
                "VALUES ('b', 'ci (token) 7', :now, 1)"
            ),
            moment,
        )
    upgrade(engine)
    assert [each.id for each in tokens.list_all(engine)] == [5, 4, 3, 2, 1]
    made, _ = tokens.create(engine, "ci", Role.runner)
    assert made.id > 7
    engine.dispose()


def test_a_migration_adds_who_created_the_tokens_of_runs_and_tasks(
    blank_url: str,
) -> None:
    engine = connect(blank_url)
    moment = {"now": datetime(2026, 11, 1, tzinfo=UTC)}
    with older(engine, "0023") as connection:
        connection.execute(
            text(
                "INSERT INTO api_tokens (hash, name, role, created_at, expires_at, made_by) "
                "VALUES ('a', 'ci', 'runner', :now, :now, 'ray@example.org')"
            ),
            moment,
        )
        for owner in ("ci (token) 1", "ci (token) 9", "uma@example.org"):
            values = moment | {"owner": owner}
            connection.execute(
                text(
                    "INSERT INTO runs (name, status, backend, model, mode, lane, config, "
                    "created_at, owner) VALUES ('old', 'done', 'embedded', 'm', 'batch', "
                    "'embedded', '{}', :now, :owner)"
                ),
                values,
            )
            connection.execute(
                text(
                    "INSERT INTO task_batches (batch_id, caller, created_at, count) "
                    "VALUES (:owner, :owner, :now, 1)"
                ),
                values,
            )
    upgrade(engine)
    makers = [origin.maker for origin in runs.origins(engine, [1, 2, 3]).values()]
    assert makers == ["ray@example.org", None, None]
    found = task_batches.list_all(engine, "ray@example.org")
    assert [batch.batch_id for batch in found] == ["ci (token) 1"]
    engine.dispose()


def test_a_migrated_token_does_not_own_what_is_older_than_itself(blank_url: str) -> None:
    """SQLite gave a revoked token's number to the next one, which may be called the same."""
    engine = connect(blank_url)
    revoked, mine = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    with older(engine, "0023") as connection:
        connection.execute(
            text(
                "INSERT INTO api_tokens (hash, name, role, created_at, expires_at, made_by) "
                "VALUES ('a', 'ci', 'runner', :now, :now, 'Uma@Example.org')"
            ),
            {"now": mine},
        )
        for moment, owner in (
            (revoked, "ci (token) 1"),
            (mine, "ci (token) 1"),
            (revoked, "Uma@Example.org"),
        ):
            connection.execute(
                text(
                    "INSERT INTO runs (name, status, backend, model, mode, lane, config, "
                    "created_at, owner) VALUES ('old', 'done', 'embedded', 'm', 'batch', "
                    "'embedded', '{}', :now, :owner)"
                ),
                {"now": moment, "owner": owner},
            )
            connection.execute(
                text(
                    "INSERT INTO task_batches (batch_id, caller, created_at, count) "
                    "VALUES (:id, :owner, :now, 1)"
                ),
                {"id": f"{moment.day} {owner}", "now": moment, "owner": owner},
            )
    upgrade(engine)
    umas = "uma@example.org"
    owned = [belongs_to(each, umas) for each in runs.origins(engine, [1, 2, 3]).values()]
    assert owned == [False, True, True]
    found = task_batches.list_all(engine, umas)
    assert [batch.batch_id for batch in found] == ["2 ci (token) 1"]
    assert [token.made_by for token in tokens.list_all(engine, umas)] == [umas]
    engine.dispose()


@pytest.mark.long
def test_simultaneous_upgrades_leave_one_valid_schema(blank_url: str) -> None:
    processes = [python(UPGRADE, blank_url) for _ in range(3)]
    assert [process.communicate()[1] or process.returncode for process in processes] == [0, 0, 0]
    engine = connect(blank_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    engine.dispose()


@pytest.mark.parametrize("kind", ["postgresql"])
def test_an_upgrade_waits_for_a_running_upgrade(kind: str, blank_url: str) -> None:
    first = connect(blank_url)
    impatient = connect(f"{blank_url}&options=-clock_timeout%3D50ms")
    with writing(first) as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        with pytest.raises(DatabaseProblem, match="lock timeout"):
            upgrade(impatient)
    upgrade(impatient)
    first.dispose()
    impatient.dispose()


@pytest.mark.timed
def test_an_upgrade_at_the_newest_revision_is_fast_and_needs_no_alembic(
    database: Engine, url: str
) -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        upgrade(database)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.1
    assert python(UPGRADE, url).communicate()[0].strip() == "False"


def test_the_database_of_a_newer_paceline_is_left_alone(blank_url: str) -> None:
    engine = connect(blank_url)
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseProblem, match="newer Paceline"):
        upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("busy_timeout", 5000), ("synchronous", 1), ("foreign_keys", 1)],
)
def test_every_sqlite_connection_has_its_pragmas(
    database: Engine, kind: str, pragma: str, value: object
) -> None:
    with database.connect() as first, database.connect() as second:
        assert first.scalar(text(f"PRAGMA {pragma}")) == value
        assert second.scalar(text(f"PRAGMA {pragma}")) == value


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_postgresql_url_gets_the_driver_that_is_installed(scheme: str) -> None:
    assert connect(f"{scheme}://me:secret@db.example/paceline").url.drivername == (
        "postgresql+psycopg"
    )


def test_the_default_database_is_a_file_beside_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACELINE_DATABASE_URL", raising=False)
    assert connect().url.database == str(DEFAULT_FILE)


def test_the_environment_names_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PACELINE_DATABASE_URL", f"sqlite:///{tmp_path}/other/x.db")
    assert connect().url.database == f"{tmp_path}/other/x.db"
    assert (tmp_path / "other").is_dir()


@pytest.mark.parametrize(
    "url",
    [
        "paceline.db",
        "mysql://me:secret@host/db",
        "postgresql://me:secret@host:port/db",
        "sqlite://",
    ],
)
def test_an_invalid_database_url_is_reported_with_a_valid_form(url: str) -> None:
    with pytest.raises(DatabaseProblem, match="Set PACELINE_DATABASE_URL to sqlite:///") as problem:
        connect(url)
    assert "secret" not in str(problem.value)


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseProblem, match="cannot be used"):
        connect(f"sqlite:///{tmp_path}/file/paceline.db")


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("Milk, eggs, and a good book.\n" * 100)
    with pytest.raises(DatabaseProblem, match="not a database"):
        upgrade(connect(f"sqlite:///{tmp_path}/notes.db"))


def test_an_unreachable_database_server_is_reported_without_the_password() -> None:
    with pytest.raises(DatabaseProblem, match="cannot be used") as problem:
        upgrade(connect("postgresql://me:secret@127.0.0.1:1/paceline"))
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize(
    ("change", "what_to_do"),
    [
        ("PRAGMA busy_timeout = 0", "Another process is writing to it: try again in a moment."),
        ("PRAGMA max_page_count = 1", "Free some disk space, and try again."),
        ("PRAGMA query_only = 1", "or the folder is writable."),
    ],
)
def test_a_failed_write_is_reported_with_what_to_do(
    tmp_path: Path, change: str, what_to_do: str
) -> None:
    database = connect(f"sqlite:///{tmp_path}/a.db")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    with database.connect() as connection, closing(other), pytest.raises(DBAPIError) as failed:
        connection.exec_driver_sql(change)
        if "busy" in change:
            other.execute("BEGIN IMMEDIATE")
        connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(100000)")
    assert message_of(failed.value).endswith(what_to_do)


def test_a_failed_transaction_changes_nothing(database: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(database) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        raise ZeroDivisionError
    upgrade(database)


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_only_the_owner_can_read_a_sqlite_database(tmp_path: Path) -> None:
    file = tmp_path / "made" / "paceline.db"
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE runs SET note = ''"))
        beside = sorted(file.parent.iterdir())
        assert len(beside) == 3, "with what it writes first"
        assert {mode(path) for path in beside} == {0o600}
    assert mode(file.parent) == 0o700


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o640, 0o640), (0o666, 0o600)])
def test_an_upgrade_removes_access_for_everyone_from_the_file(
    tmp_path: Path, before: int, after: int
) -> None:
    file = tmp_path / "paceline.db"
    file.touch()
    file.chmod(before)
    upgrade(connect(f"sqlite:///{file}"))
    assert mode(file) == after


@pytest.mark.long
def test_a_process_that_ends_does_not_remove_the_log_of_another(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'paceline.db'}"
    engine = connect(url)
    upgrade(engine)
    with engine.connect(), engine.connect():  # the second is made while the first is open
        pass
    with python(UPGRADE, url) as other:
        assert other.wait(60) == 0
    assert (tmp_path / "paceline.db-wal").exists(), "it was not the last to close the file"
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE later (n INTEGER)"))
    with python(TABLES, url) as other:
        assert "later" in other.communicate(timeout=240)[0], "what is written goes to no lost file"


def test_a_dangling_link_creates_a_private_file(tmp_path: Path) -> None:
    link, file = tmp_path / "link.db", tmp_path / "paceline.db"
    link.symlink_to(file)
    upgrade(connect(f"sqlite:///{link}"))
    assert mode(file) == 0o600


def test_a_removed_file_is_reported_and_not_recreated(tmp_path: Path) -> None:
    file = tmp_path / "paceline.db"
    engine = connect(f"sqlite:///{file}")
    upgrade(engine)
    contents = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for path in contents:
        path.unlink()
    with pytest.raises(DatabaseGone, match=f"{file} is gone"), writing(engine):
        pass
    with pytest.raises(DatabaseGone), engine.connect():
        pass
    assert not list(tmp_path.iterdir())
    for path, data in contents.items():
        path.write_bytes(data)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0, "it was put back"
