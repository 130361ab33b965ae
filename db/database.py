"""One engine for SQLite or PostgreSQL, and the schema brought up to date before it is used."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Interval,
    NullPool,
    Table,
    Update,
    create_engine,
    event,
    func,
    inspect,
    literal,
    make_url,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, DisconnectionError

from db import schema
from db.columns import Utc
from services.base import private_file
from services.base.errors import Unavailable

HERE = Path(__file__).parent
DEFAULT_FILE = HERE.parent / "data" / "paceline.db"
DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
PRAGMAS = (
    "busy_timeout = 5000",  # first, so that it applies to the next one, too
    "journal_mode = WAL",  # so that pages can read while a run is being written
    "synchronous = NORMAL",  # safe with WAL; a power cut may cost the last second
    "foreign_keys = ON",
)
KNOWN = (
    "Set PACELINE_DATABASE_URL to sqlite:///path/to/file.db or to "
    "postgresql://user:password@host:5432/name."
)
REMEDY = "Check PACELINE_DATABASE_URL, and that the database server runs or the folder is writable."
REMEDIES = {  # by SQLite's code, where there is nothing wrong with the address
    sqlite3.SQLITE_BUSY: "Another process is writing to it: try again in a moment.",
    sqlite3.SQLITE_FULL: "Free some disk space, and try again.",
}
Retry = Callable[[Callable[[], object]], object]  # calls a function until it succeeds
UPGRADE_LOCK = 0x7061636C  # an arbitrary number, the same in every process, for PostgreSQL's lock


class DatabaseProblem(Unavailable):
    """The database cannot be used; the message says what to do, without a password."""


class DatabaseGone(DatabaseProblem):
    """The file of a database in use was deleted or moved."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"The database {file} is gone: it was removed or moved while Paceline was running. Put "
            "it back, or restart Paceline, which creates a new one."
        )


UNUSABLE = (DatabaseProblem, DBAPIError)  # what any query may raise


def message_of(error: DatabaseProblem | DBAPIError) -> str:
    """Return what is wrong with the database, and what to do, in sentences."""
    return str(_unusable_problem(None, error.orig) if isinstance(error, DBAPIError) else error)


def connect(url: str | None = None) -> Engine:
    """Create the SQLAlchemy engine without opening a connection; the folder of a SQLite file is
    created. Without `url`: PACELINE_DATABASE_URL, else data/paceline.db beside the code.

    Raises:
        DatabaseProblem: it is not a URL, or that of an unsupported database.
    """
    url = url or os.environ.get("PACELINE_DATABASE_URL") or f"sqlite:///{DEFAULT_FILE}"
    return _engine(_address(url))


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        address = address.set(drivername=DRIVERS[address.drivername])
    except (ArgumentError, KeyError, ValueError):
        raise DatabaseProblem(f"This is not the address of a supported database. {KNOWN}") from None
    if address.drivername == "sqlite+pysqlite":
        return address.set(database=str(_file(address.database)))
    return address


def _file(name: str | None) -> Path:
    if name in (None, "", ":memory:"):
        raise DatabaseProblem(f"An in-memory database cannot be shared between processes. {KNOWN}")
    file = Path(name).absolute()  # the supervisor may start in another folder
    try:
        private_file.create_folder(file.parent)
    except OSError as error:
        raise _unusable_problem(str(file), error) from None
    return file


def _engine(address: URL, **options: Any) -> Engine:
    options["hide_parameters"] = True  # error messages must not contain prompts and answers
    options["json_serializer"] = partial(json.dumps, allow_nan=False)  # PostgreSQL refuses NaN
    if address.drivername != "sqlite+pysqlite":
        timeout = {"connect_timeout": 5}
        return create_engine(address, pool_pre_ping=True, connect_args=timeout, **options)
    database = create_engine(address, **options)
    file = SqliteFile(Path(address.database or ""))
    event.listen(database, "do_connect", file.before_connect)
    event.listen(database, "connect", file.connected)
    event.listen(database, "checkout", file.checked_out)
    event.listen(database, "connect", _prepare_sqlite)
    event.listen(database, "begin", _begin_sqlite)
    return database


class SqliteFile:
    """Creates the file for its owner alone, and checks that it is still the one that was opened:
    after the file was deleted, writes through an open connection would be lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = False

    def before_connect(self, *_: object) -> None:
        """Create the file the first time; SQLite gives its permissions to the files beside it.

        Raises:
            DatabaseProblem: it existed and was deleted.
        """
        if self._opened and not self._path.exists():
            raise DatabaseGone(self._path)
        with suppress(OSError):  # then SQLite reports what is wrong with it
            private_file.create_file(self._path)

    def connected(self, _connection: object, record: Any) -> None:
        """Remember which file a connection has open."""
        record.info["file"] = self._now()
        self._opened = True

    def checked_out(self, _connection: object, record: Any, _proxy: object) -> None:
        """Check that a connection is to the current file."""
        if record.info["file"] != self._now():
            raise DisconnectionError  # the pool opens another connection, if it can

    def _now(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction, `_begin_sqlite` does
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    # SQLite's own function handles only ASCII; a search ignores case in every alphabet, as in
    # PostgreSQL
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    retry: Retry = options.get("retry", lambda begin: begin())
    retry(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))


def retry_locked(database: Engine, retry: Retry) -> None:
    """Let this process begin each of its writes with `retry`. Until a SQLite transaction has begun,
    nothing has been done, so it can be tried again, whatever it is for."""
    database.update_execution_options(retry=retry)


@contextmanager
def writing(database: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end of the block, rolled back by an error.

    SQLite takes its one write lock at once and waits for it. A transaction that read first and
    wrote later would fail, without waiting, when another process had written in between.
    """
    with database.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def update_one(database: Engine, change: Update) -> bool:
    """Carry out an update of one row in a transaction of its own; return whether it found it."""
    with writing(database) as connection:
        return connection.execute(change).rowcount == 1


def upsert(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """Return the statement that stores rows of a table, replacing rows with the same key."""
    insert: postgresql.Insert | sqlite.Insert = (
        postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    )
    rest = {column.name: insert.excluded[column.name] for column in table.c}
    keys = [column.name for column in table.primary_key]
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


def on_one_machine(database: Engine) -> bool:
    """Whether only one machine can use the database, since it is a file."""
    return database.dialect.name == "sqlite"


def now(of: Engine | Connection, ago: timedelta = timedelta(0)) -> Any:
    """Return the current time, or the time `ago` before it, for a statement, by the clock that all
    users of a database share: the server's; for a SQLite file, this machine's."""
    if of.dialect.name == "postgresql":
        return type_coerce(func.clock_timestamp() - literal(ago, Interval), Utc)
    return literal(datetime.now(UTC) - ago, Utc)


def upgrade(database: Engine) -> None:
    """Bring the schema to `schema.REVISION`; several processes may call this at once.

    If it is there already, this takes two queries and does not import Alembic (0.1 s).

    Raises:
        DatabaseProblem: the database cannot be reached, or belongs to a newer Paceline.
    """
    try:
        with database.connect() as connection:
            current = _revision(connection)
        if current != schema.REVISION:
            _migrate(database)
    except DatabaseError as error:
        raise _unusable_problem(database.url.database, error.orig) from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _migrate(database: Engine) -> None:
    migrator = _engine(database.url, poolclass=NullPool)
    if database.dialect.name == "sqlite":
        event.listen(migrator, "connect", _forget_foreign_keys)
    with writing(migrator) as connection:
        if database.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        if _revision(connection) != schema.REVISION:  # another process may have been faster
            _run_scripts(connection)


def _forget_foreign_keys(connection: Any, _record: object) -> None:
    # SQLite alters a table by creating it again; dropping the old one would cascade to its rows
    connection.execute("PRAGMA foreign_keys = OFF").close()


def _run_scripts(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(HERE / "migrations").replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise DatabaseProblem(
            "This database was written by a newer Paceline. Update Paceline, or set "
            "PACELINE_DATABASE_URL to another database."
        ) from None


def _unusable_problem(name: str | None, error: object) -> DatabaseProblem:
    reason = " ".join(str(error).split()).rstrip(".")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without SQLite's details
    remedy = REMEDIES.get(code, REMEDY)
    return DatabaseProblem(
        f"The database {f'{name} ' if name else ''}cannot be used: {reason}. {remedy}"
    )


def opened() -> Engine:
    """Return this process's SQLAlchemy engine, after migrating the database the first time.

    Raises:
        DatabaseProblem: the database cannot be used.
    """
    return _open_cached(os.environ.get("PACELINE_DATABASE_URL"))


@cache
def _open_cached(url: str | None) -> Engine:
    engine = connect(url)
    upgrade(engine)
    return engine
