"""Keys on their way to the process that sends: from hand to hand, and only in memory.

The supervisor listens on a Unix socket in a folder that only its user may enter, and looks who
calls; the file of its lock says where. Whoever submits a run hands over what must not be stored,
under the run's ticket, before the run is stored: nobody can claim it without. It goes to the worker
on its standard input, and is forgotten when the run is over. It dies with the supervisor.
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

from jobs.place import QueueProblem, beside, place
from jobs.starting import start

GRACE_S = 30.0  # from the hand-over until its run is stored
WAIT_S = 30.0  # for a supervisor that is just starting
CALL_S = 5.0
SAY_S = 5.0  # between two signs of life
MOST = 2**26  # bytes of one hand-over
KEPT = b"kept\n"
FOLDER = "paceline-"
FOLDER_BYTES = 90  # of its whole name: a socket's may have 104 on macOS, 108 on Linux
NOBODY = (
    "The key cannot be passed to the process that runs the queue. If that process belongs to "
    "another user, or to an older version of Paceline, stop it and try again."
)

Kept = Mapping[str, Any]
_LONG_AGO = float("-inf")


class Keys:
    """What was handed over, by ticket."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[Kept, float]] = {}
        self._said_at = _LONG_AGO

    def __bool__(self) -> bool:
        return bool(self._kept)

    def take(self, handed: Mapping[str, Kept]) -> None:
        """Keep what is handed over."""
        with self._lock:
            self._kept.update({ticket: (kept, monotonic()) for ticket, kept in handed.items()})

    def of(self, ticket: str | None) -> Kept | None:
        """Return what is kept under a ticket, whose run is there now; None: nothing is."""
        with self._lock:
            if ticket not in self._kept:
                return None
            kept, _ = self._kept[ticket]
            self._kept[ticket] = kept, _LONG_AGO
            return kept

    def forget(self, wanted: Collection[str]) -> None:
        """Forget what no run wants any more. What was only just handed over waits for its run."""
        with self._lock:
            for ticket, (kept, since) in [*self._kept.items()]:
                if ticket in wanted:
                    self._kept[ticket] = kept, _LONG_AGO  # its run has come
                elif since < monotonic() - GRACE_S:
                    del self._kept[ticket]

    def to_be_said(self) -> bool:
        """Whether it is time to say again that something is held here."""
        due = monotonic() - self._said_at > SAY_S
        if due:
            self._said_at = monotonic()
        return due


def hand_over(database: Engine, handed: Mapping[str, Kept]) -> None:
    """Give what must not be stored to this database's supervisor, which is started if need be.

    Raises:
        QueueProblem: there is none that would take it.
    """
    until = monotonic() + WAIT_S
    while handed and not _told(database, orjson.dumps(handed)):
        if monotonic() > until:
            raise QueueProblem(NOBODY)
        with place(database) as held:
            if held is not None:
                start(database, held)
        sleep(0.1)


def _told(database: Engine, message: bytes) -> bool:
    with socket.socket(socket.AF_UNIX) as call, suppress(OSError):
        call.settimeout(CALL_S)
        call.connect(beside(database, "lock").read_text())
        if not _ours(call):
            raise QueueProblem(NOBODY)
        call.sendall(message + b"\n")
        return call.recv(len(KEPT)) == KEPT
    return False


@contextmanager
def listening(keys: Keys, held: int) -> Iterator[None]:
    """Take what is handed over into `keys` while it lasts. `held`: the open file of the lock."""
    _tidy(os.pread(held, 4096, 0))  # of one that was killed
    folder = _folder()
    with _Server(str(folder / "keys"), keys) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        _say(held, bytes(folder / "keys"))
        try:
            yield
        finally:
            _say(held, b"")
            server.shutdown()
            thread.join()
    _tidy(bytes(folder / "keys"))


def _folder() -> Path:
    """Make a folder for this user alone, whose name leaves room for a socket's."""
    folder = mkdtemp(prefix=FOLDER)
    if len(os.fsencode(folder)) <= FOLDER_BYTES:
        return Path(folder)
    os.rmdir(folder)
    return Path(mkdtemp(prefix=FOLDER, dir="/tmp"))


def _say(held: int, where: bytes) -> None:
    os.ftruncate(held, 0)
    os.pwrite(held, where, 0)


def _tidy(where: bytes) -> None:
    file = Path(os.fsdecode(where))
    if file.name == "keys" and file.parent.name.startswith(FOLDER):
        with suppress(OSError):
            file.unlink(missing_ok=True)
            file.parent.rmdir()


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True  # whoever calls and says nothing keeps nobody waiting
    request_queue_size = 64

    def __init__(self, where: str, keys: Keys) -> None:
        self.keys = keys
        super().__init__(where, _Taking)

    def verify_request(self, request: Any, client_address: object) -> bool:
        return _ours(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever called broke off: it was not told that anything is kept, and calls again."""


class _Taking(StreamRequestHandler):
    timeout = CALL_S
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline(MOST)
        if line.endswith(b"\n"):
            self.server.keys.take(orjson.loads(line))
            self.wfile.write(KEPT)


def _ours(call: socket.socket) -> bool:
    """Whether the other end is a process of our own user. Where the system does not say, the
    folder's rights have."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    who = call.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", who)[1] == os.getuid())
