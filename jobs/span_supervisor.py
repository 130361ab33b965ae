"""Starts the process that sends ended runs as spans, one run at a time, while nothing is being
measured.

Sending uses a core and the network for a while. So it waits until no run is being measured on this
machine, and stops when one begins; what the receiver has accepted by then is recorded.
"""

from __future__ import annotations

import logging
import subprocess
from time import monotonic

from sqlalchemy import Engine

from db import span_exports
from jobs import children
from jobs.supervisor_lock import machine_id
from services.base import settings
from services.report.spans.settings import is_on

ENDED = (
    "The process that sent this run as spans ended (exit code {}). Send it with paceline traces."
)
RETRY_S = 10.0

log = logging.getLogger("paceline.jobs")


class SpanSupervisor:
    """Supervises the sending of this machine's runs."""

    def __init__(self, database: Engine) -> None:
        self._database = database
        self._run_id: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = float("-inf")  # after a process could not be started

    def request(self, run_id: int) -> None:
        """Request that a run that begins is sent once it has ended, if a receiver is set."""
        try:
            env = settings.environment()
        except settings.InvalidSettings as problem:  # the run shows the problem, too
            log.warning("run %s: will not be sent as spans: %s", run_id, problem)
            return
        if is_on(env):
            span_exports.request(self._database, run_id, machine_id())

    @property
    def sending(self) -> bool:
        """Whether a run is being sent."""
        return self._process is not None

    def tick(self, measuring: bool) -> None:
        """Start to send the next run, unless one is being sent or something is being measured."""
        self._reap()
        if self.sending or measuring or monotonic() < self._not_before:
            return
        run_id = span_exports.next_waiting(self._database, machine_id())
        if run_id is None:
            return
        try:
            self._process = children.start("jobs.span_sender", str(run_id))
        except OSError as error:  # such as too many processes
            log.warning("run %s: will be sent as spans later: %s", run_id, error)
            self._not_before = monotonic() + RETRY_S
            return
        self._run_id = run_id

    def stop(self) -> None:
        """Stop sending at once, because a run begins or the supervisor ends. It continues later."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    def _reap(self) -> None:
        """Handle the end of the process. A run that it left waiting is given up, or it would be
        sent again and again."""
        if self._process is not None and (code := self._process.poll()) is not None:
            run_id = self._run_id
            self._forget()
            if run_id is not None and code != 0:
                log.warning("run %s: the sender of spans ended (%s)", run_id, code)
                span_exports.give_up(self._database, run_id, ENDED.format(code))

    def _forget(self) -> None:
        process, self._process, self._run_id = self._process, None, None
        if process is not None:
            with process:  # closes its pipes, and waits for it
                pass
