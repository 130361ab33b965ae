"""Settings in .env, which the environment overrides."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv.main import DotEnv

from services.base.errors import Unavailable
from services.base.root import ROOT

FILE = ROOT / ".env"
_from_file: dict[str, str] = {}  # set in the environment by `load`


class InvalidSettings(Unavailable):
    """The .env file cannot be read; the message is a sentence that quotes nothing of it, since it
    may hold keys."""


def load(file: Path = FILE) -> None:
    """Set the variables in `file` that the environment does not set itself, and unset those that an
    earlier call set and that were since removed from the file. The file may be missing.

    Raises:
        InvalidSettings: the file cannot be read, or is not text.
    """
    values, own = _read(file), without_file()
    for name in [name for name in _from_file if name not in values]:
        if name not in own:
            os.environ.pop(name, None)
        del _from_file[name]
    for name, value in values.items():
        if name not in own:
            os.environ[name] = _from_file[name] = value


def environment(file: Path = FILE) -> dict[str, str]:
    """Return the current environment, including changes to `file` since the start.

    Raises:
        InvalidSettings: see `load`.
    """
    load(file)
    return os.environ.copy()


def without_file() -> dict[str, str]:
    """Return the environment without what `load` has set, for processes that read the file
    themselves."""
    env = os.environ.copy()
    return {name: value for name, value in env.items() if _from_file.get(name) != value}


def _read(file: Path) -> dict[str, str]:
    try:  # with or without a byte order mark
        entries = DotEnv(file, encoding="utf-8-sig", override=False).dict()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InvalidSettings(
            f"{file} is not UTF-8 text in line {line}. Save it as UTF-8."
        ) from None
    except OSError as error:
        raise InvalidSettings(
            f"{file} cannot be read: {error.strerror}. Make it readable, or remove it."
        ) from None
    values = {name: value for name, value in entries.items() if value is not None}
    if any("\0" in part for pair in values.items() for part in pair):  # not allowed there
        raise InvalidSettings(f"{file} contains a NUL character. Save it as UTF-8 text.")
    return values
