"""A plain process that behaves like an engine: `python -m tests.engine PORT [HABIT …]`.

Habits: `slow` answers /health only after a second, `broken` dies at its first request, `refuses`
answers it with an error, `fails` ends at once, `forgetful` leaves shared memory behind, `family`
has a child that ignores SIGTERM, and that one a child in a session of its own that ignores it too;
`hides` has two without an environment, one of them in a session of its own.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHILD = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True)
print("child", os.getpid(), flush=True)
while True:
    signal.pause()
"""


def main(port: int, *habits: str) -> None:
    """Serve until SIGTERM."""
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            starting = "slow" in habits and time.monotonic() < began + 1
            self._answer(503 if starting else 200, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "broken" in habits:
                print("RuntimeError: the first request is too much for me", flush=True)
                os._exit(3)
            if "refuses" in habits:
                self._answer(400, {"error": {"message": "no chat template"}})
                return
            self._answer(200, {"choices": [], "model": body["model"]})

        def _answer(self, status: int, data: dict[str, Any]) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """It has its own words."""

    if "fails" in habits:
        print("ValueError: there is no such model", flush=True)
        sys.exit(1)
    if "family" in habits:
        subprocess.Popen([sys.executable, "-c", CHILD, CHILD])
    if "hides" in habits:
        for away in (True, False):
            child = [sys.executable, "-c", CHILD]
            subprocess.Popen(child, env={}, start_new_session=away)
    if "forgetful" in habits:
        memory = open(f"/dev/shm/paceline-test-{os.getpid()}", "w+b")  # noqa: SIM115
        memory.truncate(4096)
        held = mmap.mmap(memory.fileno(), 4096)  # noqa: F841 - as long as the process lives
        print("memory", os.path.basename(memory.name), flush=True)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("serving", flush=True)
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
