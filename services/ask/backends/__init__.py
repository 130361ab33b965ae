"""Where a run is sent: one table of backends, and how to address each of them.

A key is sent only to the address that its owner configured with it or typed it for. A run may name
another address, and otherwise anyone who can start a run could have the key sent to their own
server.

A new backend is an entry in `table.py`. A new API format is an entry in `dialects.py`;
`wire_formats.py` writes its requests, and `services/wire/chunk.py` reads its answers.
"""

from __future__ import annotations

from services.ask.backends.errors import BackendProblem, KeyProblem
from services.ask.backends.own_address import address, is_own
from services.ask.backends.table import BACKENDS, Backend, find, has_key, server_text
from services.ask.backends.targets import NO_KEYS, Target, TypedKeys, lane, model_of, target

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
    "model_of",
    "server_text",
    "target",
]
