"""`backup` and `restore`: the whole database as one file, and back."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from pathlib import Path

from cli.output import DONE, print_result
from db import backup as backups
from db.database import connect
from jobs.supervisor_lock import acquire_lock
from services.base.surrogates import clean
from services.base.units import size


def add_backup_arguments(command: ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="File to write; it must not exist")


def backup(options: Namespace) -> int:
    """Write the whole database to a file, even while runs are being measured."""
    written = backups.backup(connect(), Path(options.file))
    document = {"file": clean(options.file), "bytes": written}
    print_result(options, lambda: document, lambda: f"{options.file}: {size(written)}")
    return DONE


def add_restore_arguments(command: ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="File that `backup` wrote")


def restore(options: Namespace) -> int:
    """Replace the database with a backup; the previous one is kept next to it."""
    database = connect()
    with acquire_lock(database) as lock:
        if lock is None:
            raise backups.InUse(
                "The supervisor is running, for runs, tasks or engines. Cancel or stop them, stop "
                "Paceline, then restore."
            )
        kept = backups.restore(database, Path(options.file), datetime.now())
    text = f"Restored from {options.file}."
    was = f" The previous database is kept as {kept}." if kept else ""
    document = {"restored": clean(options.file), "kept": str(kept) if kept else None}
    print_result(options, lambda: document, lambda: text + was)
    return DONE
