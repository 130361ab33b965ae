"""`python -m bench.viewers`: how many can watch a run at once, and what memory openings cost.

The app runs as a process of its own. Viewers speak Streamlit's own protocol over websockets, as a
browser does: they open the page, and ask for each part again as often as the page told them to.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import httpx
import psutil
import websockets
from sqlalchemy import Engine
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from bench import report
from bench.pages import request, store
from db import queue, recording, runs
from db.database import opened
from jobs.supervisor_lock import supervisor_file
from services.ask.config import parse
from services.ask.measurement import Progress, Repeat, Sample

ROOT = Path(__file__).resolve().parent.parent
WATCHED_S = 30.0
MOMENTS = 1_200  # seconds for which the watched run has been running
OPENED = 4_500  # requests of the result pages that are opened
HEAD = ("viewers", "updates", "of", "slowest", "CPU of a core", "memory")


class Viewer:
    """A browser tab: what it received, and how long it waited."""

    def __init__(self, port: int, page: str, query: str, cookie: str = "") -> None:
        self._headers = {"Cookie": cookie} if cookie else {}
        self._url = f"ws://127.0.0.1:{port}/_stcore/stream"
        self._page, self._query = page, query
        self._every: dict[str, float] = {}  # seconds between refreshes, by part of the page
        self._hash = ""  # of the page, as the server sent it
        self.opened = asyncio.Event()
        self.updates, self.asked, self.slowest_s = 0, 0, 0.0
        self.opened_s: float | None = None  # how long the page took

    async def watch(self, seconds: float) -> None:
        protocols = [websockets.Subprotocol("streamlit")]
        asked_at = monotonic()
        async with websockets.connect(
            self._url, subprotocols=protocols, max_size=None, additional_headers=self._headers
        ) as socket:
            reader = asyncio.create_task(self._read(socket))
            try:
                await socket.send(self._rerun_message(None))
                await asyncio.wait_for(self.opened.wait(), 120)
                self.opened_s = monotonic() - asked_at
                await self._ask_again(socket, monotonic() + seconds)
            finally:  # before the socket closes, with 1011 if this was cancelled
                reader.cancel()

    async def _ask_again(self, socket: websockets.ClientConnection, end: float) -> None:
        while monotonic() < end and self._every:
            part, every = max(self._every.items())
            began, before = monotonic(), self.updates
            self.asked += 1
            await socket.send(self._rerun_message(part))
            await asyncio.sleep(every)
            if self.updates == before:
                self.slowest_s = max(self.slowest_s, monotonic() - began)
        await asyncio.sleep(max(0.0, end - monotonic()))  # a page without refreshes

    async def _read(self, socket: websockets.ClientConnection) -> None:
        async for data in socket:
            message = ForwardMsg()
            message.ParseFromString(data if isinstance(data, bytes) else data.encode())
            kind = message.WhichOneof("type")
            if kind == "auto_rerun":
                again = message.auto_rerun
                self._every = {again.fragment_id: again.interval}
            elif kind == "navigation":
                self._hash = message.navigation.page_script_hash
            elif kind == "script_finished":
                name = ForwardMsg.ScriptFinishedStatus.Name(message.script_finished)
                self.updates += name == "FINISHED_FRAGMENT_RUN_SUCCESSFULLY"
                if name == "FINISHED_SUCCESSFULLY":
                    self.opened.set()

    def _rerun_message(self, part: str | None) -> bytes:
        message = BackMsg()
        message.rerun_script.query_string = self._query
        if self._hash:
            message.rerun_script.page_script_hash = self._hash
        else:
            message.rerun_script.page_name = self._page
        if part:
            message.rerun_script.fragment_id = part
            message.rerun_script.is_auto_rerun = True
        encoded: bytes = message.SerializeToString()
        return encoded


def running(database: Engine) -> int:
    """Store a run that has been running for twenty minutes; return its id."""
    chance = random.Random(1)
    config = parse(
        {
            "backend": "url",
            "base_url": "http://127.0.0.1:9/v1",
            "model": "m",
            "mode": "batch",
            "requests": 10_000,
            "concurrency": 64,
        }
    )
    run_id = runs.create(database, config, "lane")
    queue.claim(database)
    recording.add_repeat(database, run_id, Repeat(0, datetime.now(UTC), 15.0, {}))
    recording.add_measurements(database, run_id, [request(0, i, 1, chance) for i in range(1_000)])
    for t in range(MOMENTS):
        recording.add_progress(database, run_id, Progress(float(t), 0, t, 64, t, 0, t * 600))
        values = {"running": 64.0, "waiting": 3.0 + t % 7, "cpu": 0.5, "memory": 1e9 + t}
        recording.add_sample(database, run_id, Sample(float(t), values))
    supervisor_file(database, "lock").mkdir()  # so no supervisor runs the queue or ends the run
    return run_id


@contextmanager
def app(folder: str, **env: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        httpx.Client(transport=httpx.HTTPTransport(retries=8)).get(f"http://127.0.0.1:{port}/")
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


async def watched(port: int, process: psutil.Process, run_id: int, count: int) -> tuple[str, ...]:
    """Let `count` viewers watch the run at the same time; return what they received."""
    viewers = [Viewer(port, "live", f"run={run_id}") for _ in range(count)]
    before, began = process.cpu_times(), monotonic()
    await asyncio.gather(*(viewer.watch(WATCHED_S) for viewer in viewers))
    after, took = process.cpu_times(), monotonic() - began
    cpu = (after.user + after.system - before.user - before.system) / took
    updates, asked = sum(v.updates for v in viewers), sum(v.asked for v in viewers)
    slowest = max(viewer.slowest_s for viewer in viewers)
    memory = process.memory_info().rss / 2**20
    return (
        str(count),
        f"{updates:,}",
        f"{asked:,}",
        f"{slowest:.1f} s",
        f"{cpu:.0%}",
        f"{memory:,.0f} MiB",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.viewers", description=__doc__)
    parser.add_argument("--viewers", default="1,10,20,40", help="How many at once, one by one")
    parser.add_argument("--openings", type=int, default=0, help="Open a large result so often")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PACELINE_DATABASE_URL"] = f"sqlite:///{folder}/paceline.db"
        store(opened(), 1, OPENED // 5)
        run_id = running(opened())
        with app(folder) as (port, process):
            counts = [int(word) for word in options.viewers.split(",") if word]
            rows = [asyncio.run(watched(port, process, run_id, count)) for count in counts]
            lines = (HEAD, ("---",) * len(HEAD), *rows)
            print(report.machine(), *("| " + " | ".join(row) + " |" for row in lines), sep="\n")
            for n in range(options.openings):
                asyncio.run(Viewer(port, "result", "run=1").watch(0))
                if n % 50 == 49:
                    print(n + 1, f"{process.memory_info().rss / 2**20:,.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
