"""Ensures that no two runs measure the same server at once, even from different databases of the
same user on this machine.

Within one database, a unique index ensures this. Two databases know nothing about each other, so
each measured server is a locked file in a folder of this user; when a supervisor dies, its locks
are released.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from services.base import private_file

log = logging.getLogger("paceline.jobs")


class ServerLocks:
    """The locks of the servers that a supervisor's runs measure, by lane."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"paceline-servers-{os.getuid()}"
        self._locks: dict[str, int] = {}
        self._refused: set[str] = set()  # each refusal is logged once

    def __len__(self) -> int:
        return len(self._locks)

    def acquire(self, lane: str) -> bool:
        """Lock a lane's server; return False if a supervisor of another database has locked it. A
        lane without an address (the embedded model) needs no lock: each run has its own server."""
        if ":" not in lane or lane in self._locks:
            return True
        try:
            lock = self._open(lane)
        except OSError as error:  # measure anyway: there may be no other database
            log.warning("%s cannot be locked: %s", lane, error.strerror)
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            if lane not in self._refused:
                self._refused.add(lane)
                log.info("%s is measured from another database: its runs wait here", lane)
            return False
        self._locks[lane] = lock
        self._refused.discard(lane)
        return True

    def keep(self, lanes: Collection[str]) -> None:
        """Unlock all servers but those of these lanes."""
        for lane in [lane for lane in self._locks if lane not in lanes]:
            os.close(self._locks.pop(lane))

    def _open(self, lane: str) -> int:
        private_file.create_folder(self._folder)
        if self._folder.stat().st_uid != os.getuid():
            raise PermissionError(0, "its folder belongs to another user")
        name = hashlib.sha256(lane.encode()).hexdigest()[:16]
        return private_file.open_file(self._folder / name, os.O_RDWR)
