"""The reference server, which also logs when the kernel had each request.

`python -m bench.server` serves as `services.load.reference` does. Its own `received` is when its
loop got round to reading a request: with thousands at once that is late, and no client's fault. So
it reads with the kernel's receive timestamps and logs `arrived`, the moment TTFT truly begins.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.line import Line
from services.load.reference import BACKLOG
from services.wire.clock import ask_for_stamps

ROOT = Path(__file__).resolve().parent.parent


async def serve() -> None:
    """Serve on a free port of 127.0.0.1, print it, and end with standard input."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    ask_for_stamps(listener)  # accepted connections inherit it

    def accept() -> None:
        for _ in range(BACKLOG):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Line(sock)

    loop.add_reader(listener, accept)
    loop.add_reader(0, ended.set)
    print(listener.getsockname()[1], flush=True)
    await ended.wait()


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[int]:
    """Start a server with an empty log, over TLS if there is a certificate; yield its port."""
    module = ["services.load.reference", str(certificate)] if certificate else ["bench.server"]
    process = subprocess.Popen(
        [sys.executable, "-m", *module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin and process.stdout
    with process:
        yield int(process.stdout.readline())
        process.stdin.close()


def log_of(base_url: str, trust: Path | None = None) -> dict[str, Any]:
    """Return the server's log, by prompt; times are nanoseconds of the monotonic clock."""
    context = ssl.create_default_context(cafile=trust) if trust else None
    with urllib.request.urlopen(f"{base_url}/log", context=context) as answer:
        log: dict[str, Any] = json.load(answer)["log"]
    return log


if __name__ == "__main__":
    asyncio.run(serve())
