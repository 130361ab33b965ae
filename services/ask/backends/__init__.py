"""To whom a run is sent: one table of backends, and how one of them is addressed.

A key goes to the address that its owner wrote beside it, or typed it for, and nowhere else. A run
may name another address, and whoever can ask for a run could otherwise have the key sent to a
server of theirs.

A new backend is an entry in `table.py`. A new API format is one in `dialects.py`, and its requests
are written in `wire_formats.py`; `services/wire/chunk.py` reads the answers.
"""

from __future__ import annotations

from services.ask.backends.errors import BackendProblem, KeyProblem
from services.ask.backends.own_address import address, is_own
from services.ask.backends.table import BACKENDS, Backend, find, has_key
from services.ask.backends.targets import NO_KEYS, Target, TypedKeys, lane, target

__all__ = [
    "BACKENDS",
    "NO_KEYS",
    "Backend",
    "BackendProblem",
    "KeyProblem",
    "Target",
    "TypedKeys",
    "address",
    "find",
    "has_key",
    "is_own",
    "lane",
    "target",
]
