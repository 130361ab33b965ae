"""Logs of Paceline's processes: plain lines or, with PACELINE_LOG=json, one JSON object per line.

A line has `time` (ISO 8601, UTC), `level`, `process` (web, supervisor, worker, tasks, sender),
`message` and, if it is about a run or an engine, `run` or `engine`: a message that begins with
"run 12: " is about run 12. Keys and anything that looks like one are removed from every message,
and an exception is reduced to its type and location, because its text may quote a prompt.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from services.base.fault import fault, place_of
from services.base.private_names import is_private
from services.base.redact import redact
from services.base.surrogates import clean

VARIABLE = "PACELINE_LOG"
LONGEST = 1_000  # characters of a message
_ABOUT = re.compile(r"(run|engine) (\d+): ")
_ADDRESS = re.compile(r"(?<![^\s\"])/[^\s\"]*")  # the path and query of a request
_CAPABILITY = re.compile(r"^((?:/api)?/shares?|/_stcore/upload_file|/media)/.+")  # opens by itself


def as_json(env: Mapping[str, str]) -> bool:
    """Return whether logs are JSON."""
    return env.get(VARIABLE, "").strip().lower() == "json"


def setup(process: str, env: Mapping[str, str]) -> None:
    """Write this process's logs to standard error, as PACELINE_LOG says. With JSON, everything else
    that the process writes there becomes lines of the log, too."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # an engine is polled twice a second
    handler = logging.StreamHandler(sys.stderr)
    if not as_json(env):
        handler.setFormatter(PlainLines(secrets_in(env)))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        return
    handler.setFormatter(JsonLines(process, secrets_in(env)))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    sys.excepthook = lambda _kind, error, _trace: _log_uncaught(error)
    threading.excepthook = lambda caught: _log_uncaught(caught.exc_value)
    sys.stderr = Lines()


def secrets_in(env: Mapping[str, str]) -> list[str]:
    """Return the values of the private variables, see `is_private`."""
    return [value for name, value in env.items() if value and is_private(name, value)]


class PlainLines(logging.Formatter):
    """Writes a record as its time and its message, without the `secrets`."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {_message(record, self._secrets)}"


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, without the `secrets`."""

    def __init__(self, process: str, secrets: list[str]) -> None:
        super().__init__()
        self._process, self._secrets = process, secrets

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record, self._secrets)
        line: dict[str, Any] = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "level": record.levelname.lower(),
            "process": self._process,
        }
        if about := _ABOUT.match(message):
            line[about[1]] = int(about[2])
        return orjson.dumps(line | {"message": message}).decode()


def _message(record: logging.LogRecord, secrets: list[str]) -> str:
    message = redact(clean(record.getMessage()), secrets, LONGEST)
    if record.exc_info and (error := record.exc_info[1]):
        message = f"{message}: {place_of(error)}"
    return message


def without_traceback(record: logging.LogRecord) -> bool:
    """Reduce the exception of a record to its type and location: a filter for a logger of another
    package, which writes plain lines."""
    if record.exc_info and (error := record.exc_info[1]):
        record.msg, record.args = f"{record.getMessage().strip()}: {place_of(error)}", ()
        record.exc_info = record.exc_text = None
    return True


def without_parameters(record: logging.LogRecord) -> bool:
    """Cut the query of a request, which may hold a prompt or a sign-in's code, and the part of its
    path that is a secret, such as a shared page's token: a filter for a web server's loggers."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            _ADDRESS.sub(_shortened, value) if isinstance(value, str) else value
            for value in record.args
        )
    return True


def _shortened(address: re.Match[str]) -> str:
    return _CAPABILITY.sub(r"\1/…", address[0].partition("?")[0])


class Lines(io.TextIOBase):
    """Replaces standard error, so that its lines become lines of the log."""

    def __init__(self) -> None:
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            logging.getLogger("paceline.stderr").warning("%s", line)
        return len(text)

    def flush(self) -> None:
        """Does nothing: lines are written as soon as they end."""

    def fileno(self) -> int:
        out: TextIO | None = sys.__stderr__
        if out is None:
            raise io.UnsupportedOperation("fileno")
        return out.fileno()


def _log_uncaught(error: BaseException | None) -> None:
    """Log an uncaught exception, unless it only ends the process."""
    if isinstance(error, Exception):
        fault(error)
