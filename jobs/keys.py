"""Passes API keys to the process that sends them; they are only ever in memory.

The supervisor listens on a Unix socket in a folder that only its user may enter, and checks who
connects; its lock file holds the path. Whoever submits a run passes the secrets, which must not be
stored, under the run's ticket before the run is stored, so that nobody can claim the run without
them. They go to the worker on its standard input, are forgotten when the run is over, and are lost
when the supervisor ends.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer
from tempfile import mkdtemp
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any

import orjson
from sqlalchemy import Engine

from jobs.starting import start
from jobs.supervisor_lock import QueueProblem, acquire_lock, supervisor_file

GRACE_S = 30.0  # from the handover until its run must be stored
WAIT_S = 30.0  # the longest for a supervisor to start
CALL_S = 5.0
HEARTBEAT_S = 5.0
MOST = 2**26  # bytes of one handover
ACK = b"kept\n"
FOLDER = "paceline-"
FOLDER_BYTES = 90  # of its whole path: a socket's path may have 104 on macOS, 108 on Linux
NOBODY = (
    "The key cannot be passed to the process that runs the queue. If that process belongs to "
    "another user, or to an older version of Paceline, stop it and try again."
)

Secrets = Mapping[str, Any]
_LONG_AGO = float("-inf")


class Keys:
    """The secrets that were handed over, by ticket."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[Secrets, float]] = {}
        self._heartbeat_at = _LONG_AGO

    def __bool__(self) -> bool:
        return bool(self._kept)

    def add(self, secrets: Mapping[str, Secrets]) -> None:
        """Store what is handed over."""
        with self._lock:
            self._kept.update({ticket: (kept, monotonic()) for ticket, kept in secrets.items()})

    def get(self, ticket: str | None) -> Secrets | None:
        """Return the secrets of a ticket whose run is stored by now, or None."""
        with self._lock:
            if ticket not in self._kept:
                return None
            kept, _ = self._kept[ticket]
            self._kept[ticket] = kept, _LONG_AGO
            return kept

    def forget(self, wanted: Collection[str]) -> None:
        """Forget secrets that no run needs any more. Those handed over a moment ago are kept until
        their run is stored."""
        with self._lock:
            for ticket, (kept, since) in [*self._kept.items()]:
                if ticket in wanted:
                    self._kept[ticket] = kept, _LONG_AGO  # its run is stored
                elif since < monotonic() - GRACE_S:
                    del self._kept[ticket]

    def heartbeat_due(self) -> bool:
        """Whether it is time for another heartbeat of the runs that wait for this machine."""
        due = monotonic() - self._heartbeat_at > HEARTBEAT_S
        if due:
            self._heartbeat_at = monotonic()
        return due


def hand_over(database: Engine, secrets: Mapping[str, Secrets]) -> None:
    """Hand secrets over to this database's supervisor, which is started if necessary.

    Raises:
        QueueProblem: no supervisor accepts them.
    """
    until = monotonic() + WAIT_S
    while secrets and not _send(database, orjson.dumps(secrets)):
        if monotonic() > until:
            raise QueueProblem(NOBODY)
        with acquire_lock(database) as lock:
            if lock is not None:
                start(database, lock)
        sleep(0.1)


def _send(database: Engine, message: bytes) -> bool:
    with socket.socket(socket.AF_UNIX) as call, suppress(OSError):
        call.settimeout(CALL_S)
        call.connect(supervisor_file(database, "lock").read_text())
        if not _same_user(call):
            raise QueueProblem(NOBODY)
        call.sendall(message + b"\n")
        return call.recv(len(ACK)) == ACK
    return False


@contextmanager
def listening(keys: Keys, lock: int) -> Iterator[None]:
    """Accept handovers into `keys` during the block. `lock`: the open lock file."""
    _remove_socket(os.pread(lock, 4096, 0))  # of a supervisor that was killed
    folder = _folder()
    with _Server(str(folder / "keys"), keys) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        _publish(lock, bytes(folder / "keys"))
        try:
            yield
        finally:
            _publish(lock, b"")
            server.shutdown()
            thread.join()
    _remove_socket(bytes(folder / "keys"))


def _folder() -> Path:
    """Create a folder for this user alone, whose path is short enough for a socket in it."""
    folder = mkdtemp(prefix=FOLDER)
    if len(os.fsencode(folder)) <= FOLDER_BYTES:
        return Path(folder)
    os.rmdir(folder)
    return Path(mkdtemp(prefix=FOLDER, dir="/tmp"))


def _publish(lock: int, socket_path: bytes) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, socket_path, 0)


def _remove_socket(socket_path: bytes) -> None:
    file = Path(os.fsdecode(socket_path))
    if file.name == "keys" and file.parent.name.startswith(FOLDER):
        with suppress(OSError):
            file.unlink(missing_ok=True)
            file.parent.rmdir()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True  # a client that sends nothing blocks nobody
    request_queue_size = 64

    def __init__(self, socket_path: str, keys: Keys) -> None:
        self.keys = keys
        super().__init__(socket_path, _Handler)

    def verify_request(self, request: Any, client_address: object) -> bool:
        return _same_user(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """The client disconnected before it was acknowledged, and will connect again."""


class _Handler(StreamRequestHandler):
    timeout = CALL_S
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline(MOST)
        if line.endswith(b"\n"):
            self.server.keys.add(orjson.loads(line))
            self.wfile.write(ACK)


def _same_user(call: socket.socket) -> bool:
    """Whether the peer is a process of our own user. If the system does not report this, the
    folder's permissions must suffice."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = call.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())
