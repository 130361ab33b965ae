"""How the processes of a run talk: a line of JSON a message, on standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

import orjson

Send = Callable[[dict[str, Any]], None]
LINE_BYTES = 2**26  # the longest message: a config with 10,000 prompts, or a batch of results


def sender() -> Send:
    """Return a function that writes a message to the real standard output, whole, from any thread.
    Whatever a library prints goes to standard error instead."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lock = Lock()

    def send(message: dict[str, Any]) -> None:
        line = orjson.dumps(message) + b"\n"
        with lock, suppress(BrokenPipeError):  # who asked is gone: standard input ends us
            out.write(line)
            out.flush()

    return send


async def standard_input() -> asyncio.StreamReader:
    """Return standard input, to be read by lines."""
    reader = asyncio.StreamReader(LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader
