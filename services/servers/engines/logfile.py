"""An engine's log, in a file of limited size."""

from __future__ import annotations

from pathlib import Path

from services.base import private_file

MAX_BYTES = 20_000_000
CUT = b"[The log was cut here: it grew beyond %d MB.]\n" % (MAX_BYTES // 1_000_000)
TAIL_BYTES = 200_000


class LogFile:
    """A log file to append to, as a context manager. Beyond MAX_BYTES the older half is cut."""

    def __init__(self, path: Path, most_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._most = most_bytes

    def __enter__(self) -> LogFile:
        private_file.create_folder(self._path.parent)
        self._file = open(self._path, "a+b", buffering=0, opener=private_file.open_file)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, part: bytes) -> None:
        """Append `part`, unbuffered."""
        self._file.write(part)
        if self._file.tell() > self._most:
            self._cut()

    def _cut(self) -> None:
        self._file.seek(-self._most // 2, 2)
        newer = self._file.read().partition(b"\n")[2]
        self._file.truncate(0)
        self._file.write(CUT + newer)


def tail(path: Path, most_bytes: int = TAIL_BYTES) -> str:
    """Return the last whole lines of a log; "" if there is no log yet."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, 2) - most_bytes)
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return ""
    return (data.partition(b"\n")[2] if start else data).decode("utf-8", "replace")


def lines_after(path: Path, offset: int) -> tuple[list[str], int]:
    """Return the whole lines of a log from byte `offset` on, and the offset of the next; starts at
    the beginning if the log was cut since."""
    try:
        with path.open("rb") as file:
            file.seek(offset if offset <= file.seek(0, 2) else 0)
            begin, data = file.tell(), file.read()
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), begin + len(whole)
