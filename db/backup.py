"""Backup of a whole database to one file, and restore from it.

A SQLite backup is a SQLite file, a PostgreSQL backup is a file in pg_dump's custom format. Either
is written as `FILE.part`, checked, flushed to disk and then renamed: a file with the final name is
complete. Only its owner can read the file, as for the database, because it contains prompts,
answers and the hashes of tokens.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import psutil
from sqlalchemy import Engine, inspect

from db.database import connect, upgrade
from services.base import private_file
from services.base.errors import Conflict, Invalid, Unavailable
from services.base.redact import redact
from services.base.units import size

SQLITE, POSTGRES = b"SQLite format 3\0", b"PGDMP"
BESIDE = ("-journal", "-wal", "-shm")  # the files that SQLite keeps beside a database
SPARE_BYTES = 2**24  # that a backup leaves free on the disk


class CannotBackUp(Unavailable):
    """The backup cannot be written; the message is a sentence. No file is left."""


class FileExists(Conflict):
    """A backup never replaces a file."""


class NoBackup(Invalid):
    """The file is not a backup of this kind of database; the message is a sentence."""


class InUse(Conflict):
    """The database cannot be replaced now; the message is a sentence."""


def backup(database: Engine, file: Path) -> int:
    """Write the current state of the database to a new file; return the file's size in bytes. Other
    processes can write to the database meanwhile; the file does not contain those writes.

    Raises:
        FileExists: the file exists.
        CannotBackUp: there is no database, not enough space or no pg_dump, or it cannot be read.
    """
    with _new_file(file) as part:
        if database.dialect.name == "sqlite":
            _copy_sqlite(_file_of(database), part)
        else:
            _postgres(database, "pg_dump", "--format=custom", f"--file={part}")
            _run(("pg_restore", "--list", str(part)), os.environ)  # check that the file can be read
    return file.stat().st_size


def restore(database: Engine, file: Path, moment: datetime) -> Path | None:
    """Replace the database with a backup and migrate it to the newest revision. Return the path of
    the previous SQLite file, which is kept beside the new one and named after `moment`; None if
    there was none.

    A PostgreSQL database must be empty, so that nothing is lost; the user creates a new one. The
    caller holds the supervisor's lock.

    Raises:
        NoBackup: the file is not a backup of this kind of database, or is damaged.
        InUse: a process has the SQLite file open, or the PostgreSQL database is not empty.
        CannotBackUp: there is not enough space or no pg_restore, or the folder is not writable.
        DatabaseProblem: a newer Paceline wrote it.
    """
    _check_kind(file, SQLITE if database.dialect.name == "sqlite" else POSTGRES)
    if database.dialect.name == "sqlite":
        return _restore_sqlite(_file_of(database, missing=True), file, moment)
    if inspect(database).get_table_names():
        raise InUse(
            "The database that PACELINE_DATABASE_URL names is not empty. Create another one "
            "(createdb), set the variable to it, and restore again: the current one is kept."
        )
    _postgres(database, "pg_restore", "--no-owner", "--single-transaction", str(file))
    upgrade(database)
    return None


def _file_of(database: Engine, missing: bool = False) -> Path:
    path = Path(database.url.database or "")
    if not missing and not path.exists():
        raise CannotBackUp(f"There is no database {path} yet: nothing to back up.")
    return path


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which is renamed to `file` at the end of the block. After
    an error no file is left."""
    try:
        if file.exists() or file.is_symlink():
            raise FileExists(
                f"{file} already exists. Choose another name: existing files are not replaced."
            )
        part = file.with_name(f"{file.name}.part")
        private_file.create_folder(file.parent)
        lock = private_file.open_file(part, os.O_RDWR)
        try:
            _lock(lock, part)  # if this fails, the part is another process's
            try:
                os.ftruncate(lock, 0)  # left by a process that was killed
                yield part
                os.fsync(lock)
                if file.exists():
                    raise FileExists(f"{file} was created in the meantime. Choose another name.")
                part.replace(file)
            except BaseException:
                _remove(part)
                raise
        finally:
            os.close(lock)
        _flush(file.parent)
    except OSError as error:
        raise CannotBackUp(f"{file} cannot be written: {error.strerror or error}.") from None


def _lock(descriptor: int, part: Path) -> None:
    """Lock the open part. Raises InUse: another process has it, or has renamed or removed it since
    it was opened here: then the descriptor may be that of a finished backup."""
    busy = InUse(f"Another process is writing {part}. Wait for it.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), part.stat()):
            raise busy
    except (BlockingIOError, FileNotFoundError):
        raise busy from None


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy a consistent snapshot of a database file, and check the copy. One step: a copy in
    several begins anew whenever another process writes, and with a write-ahead log nobody waits for
    a reader."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reads,
            closing(sqlite3.connect(target)) as writes,
        ):
            _check_room(reads, target)
            writes.execute("PRAGMA synchronous = OFF")  # the whole file is flushed at the end
            reads.backup(writes)
            writes.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            damage = [row[0] for row in writes.execute("PRAGMA integrity_check(1)")]
    except sqlite3.Error as error:
        raise CannotBackUp(f"{source} cannot be copied: {error}.") from None
    if damage != ["ok"]:
        raise NoBackup(f"{source} is damaged: {' '.join(damage[0].split())[:200]}.")


def _check_room(database: sqlite3.Connection, target: Path) -> None:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (page_size,) = database.execute("PRAGMA page_size").fetchone()
    free = shutil.disk_usage(target.parent).free
    if pages * page_size + SPARE_BYTES > free:
        raise CannotBackUp(
            f"The database is {size(pages * page_size)}, and {target.parent} has {size(free)} "
            "left. Free some space, or choose another folder."
        )


def _restore_sqlite(current: Path, file: Path, moment: datetime) -> Path | None:
    _check_closed(current)
    new = current.with_name(f"{current.name}.restored")
    kept = current.with_name(f"{current.name}.before-{moment:%Y%m%d-%H%M%S}")
    _remove(new)  # left by a process that was killed
    with _new_file(new) as part:
        _copy_sqlite(file, part)
    try:
        _migrate(new)
        _check_closed(current)  # a process may have opened it meanwhile
        moved = _rename_database(current, kept) if current.exists() else None
        try:
            new.replace(current)
        except OSError:
            if moved is not None:
                _rename_database(moved, current)
            raise
        _flush(current.parent)
    except OSError as error:
        raise CannotBackUp(f"{current} cannot be replaced: {error.strerror}.") from None
    finally:
        _remove(new)
    return moved


def _migrate(file: Path) -> None:
    database = connect(f"sqlite:///{file}")
    try:
        if not inspect(database).has_table("alembic_version"):
            raise NoBackup(f"{file.name} is not a Paceline database.")
        upgrade(database)
    finally:
        database.dispose()  # the last connection writes the log into the file


def _rename_database(file: Path, to: Path) -> Path:
    """Rename a database and the files that SQLite keeps beside it, after writing them into it."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as database:  # or damaged
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{to}{suffix}")
    file.rename(to)
    return to


def _check_closed(file: Path) -> None:
    """Raise InUse if a process of ours has the file open: the web server, the supervisor, a
    command. Its writes would go to the file that is moved away."""
    if pids := [process.pid for process in psutil.process_iter() if _has_open(process, file)]:
        raise InUse(
            f"Paceline is running: {file} is open in process {', '.join(map(str, pids))}. Stop it, "
            "then restore."
        )


def _has_open(process: psutil.Process, file: Path) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return any(opened.path == str(file.resolve()) for opened in process.open_files())
    except (psutil.Error, OSError):  # another user's, or it has ended
        return False


def _check_kind(file: Path, magic: bytes) -> None:
    try:
        with file.open("rb") as opened:
            head = opened.read(len(SQLITE))
    except OSError as error:
        raise NoBackup(f"{file} cannot be read: {error.strerror}.") from None
    if head.startswith(magic):
        return
    kinds = {SQLITE: "SQLite", POSTGRES: "PostgreSQL"}
    other = next((kind for start, kind in kinds.items() if head.startswith(start)), None)
    if other is None:
        raise NoBackup(f"{file} is not a backup that `paceline backup` wrote.")
    raise NoBackup(
        f"{file} is a backup of {other}, and PACELINE_DATABASE_URL names a {kinds[magic]} "
        f"database. Set it to a {other} database."
    )


def _postgres(database: Engine, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL on the database. The password is in its environment: all users
    of a machine see a process's arguments."""
    url = database.url.set(drivername="postgresql")
    named = url.query.get("password")
    password = url.password or (named if isinstance(named, str) else None)
    address = url.difference_update_query(["password"]).set(password=None)
    bare = address.render_as_string(hide_password=False)
    env = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    _run((program, f"--dbname={bare}", *arguments), env, password or "")


def _run(command: tuple[str, ...], env: Mapping[str, str], secret: str = "") -> None:
    try:
        ended = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise CannotBackUp(
            f"{command[0]} is not installed. Install PostgreSQL's client programs "
            "(postgresql-client) in the server's version or a newer one, or use the server's own "
            "backups."
        ) from None
    if ended.returncode:
        message = " ".join(ended.stderr.split()) or f"exit code {ended.returncode}"
        reason = redact(message, [secret] if secret else []).rstrip(".")
        raise CannotBackUp(f"{command[0]} failed: {reason}.")


def _remove(file: Path) -> None:
    for suffix in ("", *BESIDE):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
