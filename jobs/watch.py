"""Watches the server of a run: a sampler's process, and the writing of what it tells.

Whatever goes wrong here costs samples, never the run.
"""

from __future__ import annotations

import logging
import signal
import subprocess
from contextlib import suppress
from threading import Thread

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from db import queue
from jobs import children
from services.ask.measurement import Sample
from services.ask.series import series_of
from services.base import untrusted
from services.servers import protocol
from services.servers.protocol import Sampled
from services.servers.telemetry.target import SamplerTarget

ENDED = (0, -signal.SIGKILL)  # as it is told to

log = logging.getLogger("paceline.jobs")


class Watch(Thread):
    """Keeps the samples of one turn, from `start` until `stop`."""

    def __init__(self, database: Engine, run_id: int, asked: SamplerTarget, spent_s: float) -> None:
        """`spent_s`: what the run had been measured for before this turn."""
        super().__init__(daemon=True, name=f"watch-{run_id}")
        self._database, self._run_id, self._asked, self._spent_s = database, run_id, asked, spent_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the sampler, if this machine can."""
        try:
            self._process = children.start("services.servers.telemetry")
        except OSError as error:
            log.warning("run %s: no telemetry: %s", self._run_id, error)
            return
        super().start()

    def stop(self) -> None:
        """End the sampler, which holds nothing back, and wait until what it told is kept."""
        if self._process is not None:
            self._process.kill()
            self.join()

    def run(self) -> None:
        process = self._process
        assert process and process.stdin and process.stdout
        with process:
            with suppress(OSError, ValueError):  # ended, or stopped already
                process.stdin.write(protocol.encode(self._asked))
                process.stdin.flush()
            for line in process.stdout:
                if line.endswith(b"\n"):
                    self._keep(sample_of(protocol.expect(Sampled, line)))
        if process.returncode not in ENDED:
            log.warning("run %s: no more telemetry (%s)", self._run_id, process.returncode)

    def _keep(self, sample: Sample) -> None:
        placed = Sample(sample.t + self._spent_s, sample.values)
        try:
            queue.add_sample(self._database, self._run_id, placed)
        except OperationalError as error:  # a database that is locked: the next one may be kept
            log.warning("run %s: %s", self._run_id, error.orig)


def sample_of(sampled: Sampled) -> Sample:
    """Return what was sampled: of its values those that are numbers to keep, in series that are
    known."""
    sound = {name: untrusted.number(value) for name, value in sampled.values.items()}
    known = {name: value for name, value in sound.items() if value is not None and series_of(name)}
    return Sample(float(sampled.t), known)
