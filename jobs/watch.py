"""Watches the server of a run: a sampler process, and the storing of its samples.

If something goes wrong here, only samples are lost, never the run.
"""

from __future__ import annotations

import logging
import signal
import subprocess
from contextlib import suppress
from threading import Thread

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from db import recording
from jobs import children
from services.ask.measurement import Sample
from services.ask.series import series_of
from services.base import untrusted
from services.servers import protocol
from services.servers.protocol import Sampled
from services.servers.telemetry.target import SamplerTarget

ENDED = (0, -signal.SIGKILL)  # expected exit codes

log = logging.getLogger("paceline.jobs")


class Watch(Thread):
    """Stores the samples taken during one work item, from `start` until `stop`."""

    def __init__(
        self, database: Engine, run_id: int, target: SamplerTarget, spent_s: float
    ) -> None:
        """`spent_s`: for how many seconds the run had been measured before this work item."""
        super().__init__(daemon=True, name=f"watch-{run_id}")
        self._database, self._run_id = database, run_id
        self._target, self._spent_s = target, spent_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the sampler, if this machine supports it."""
        try:
            self._process = children.start("services.servers.telemetry")
        except OSError as error:
            log.warning("run %s: no telemetry: %s", self._run_id, error)
            return
        super().start()

    def stop(self) -> None:
        """End the sampler, and wait until its samples are stored."""
        if self._process is not None:
            self._process.kill()
            self.join()

    def run(self) -> None:
        process = self._process
        assert process and process.stdin and process.stdout
        with process:
            with suppress(OSError, ValueError):  # ended, or stopped already
                process.stdin.write(protocol.encode(self._target))
                process.stdin.flush()
            for line in process.stdout:
                if line.endswith(b"\n"):
                    self._store(sample_of(protocol.expect(Sampled, line)))
        if process.returncode not in ENDED:
            log.warning("run %s: no more telemetry (%s)", self._run_id, process.returncode)

    def _store(self, sample: Sample) -> None:
        moved = Sample(sample.t + self._spent_s, sample.values)
        try:
            recording.add_sample(self._database, self._run_id, moved)
        except OperationalError as error:  # locked: the next sample may be stored
            log.warning("run %s: %s", self._run_id, error.orig)


def sample_of(sampled: Sampled) -> Sample:
    """Return the sample with only those values that are numbers of known series."""
    sound = {name: untrusted.number(value) for name, value in sampled.values.items()}
    known = {name: value for name, value in sound.items() if value is not None and series_of(name)}
    return Sample(float(sampled.t), known)
