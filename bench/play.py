"""One client plays one case once: a fresh server, the client, its report against the log."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench import environments, errors, process, server, turns
from bench.arrivals import Arrivals, arrivals
from bench.errors import Errors
from bench.tools import Tool
from bench.work import Case, Job
from services.ask.work_item import WorkItem
from services.load.protocol import encode

QUIET = {  # no proxy for loopback, and no telemetry
    "NO_PROXY": "127.0.0.1,localhost",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


class Problem(RuntimeError):
    """There is no result; the message says why in a few words for the table."""


@dataclass
class Result:
    """What one client did in one case, over its rounds. Errors in seconds."""

    asked: int = 0
    back: int = 0
    served: int = 0
    errors: Errors = field(default_factory=Errors)
    cpu_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    problem: str = ""
    arrivals: list[Arrivals] = field(default_factory=list)  # if a rate was requested
    turns_late_s: list[float] = field(default_factory=list)  # of sessions


def play(tool: Tool, case: Case, result: Result, limit_s: float, nonce: str) -> None:
    """Add one round to `result`.

    Raises:
        Problem: there is no result to add.
    """
    try:
        python = sys.executable if tool.own else environments.python_of(tool.name)
    except environments.NotInstalled as error:
        raise Problem(f"not installed: {error}") from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trust, certificate = _issue_certificate(folder) if case.tls else (None, None)
        with server.serving(certificate) as port:
            job = Job(case, port, folder, nonce)
            command, line = tool.command(job, python), encode(WorkItem(job.config))
            env = os.environ | QUIET | ({"SSL_CERT_FILE": str(trust)} if trust else {})
            try:
                ended = process.run(command, line, env, limit_s, folder / "stderr")
            except OSError as error:
                raise Problem(f"not started: {error.strerror}") from None
            except process.Overran:
                raise Problem(f"not done in {limit_s:.0f} s") from None
            log = server.log_of(job.base_url, trust)
        try:
            reported = tool.read(job, ended.out)
            wrong = errors.compare(reported, log)
        except (OSError, LookupError, ValueError, StopIteration) as error:
            message = f"{type(error).__name__}: {error}"[:80]
            raise Problem(f"no result, exit code {ended.code} ({message})") from None
        result.asked += case.requests
        result.back += len(reported)
        result.served += sum(len(did["times"]) == did["tokens"] for did in log.values())
        result.errors.add(wrong)
        result.cpu_s.append(ended.cpu_s)
        result.peak_mb = max(result.peak_mb, ended.peak_mb)
        if case.rate and (came := arrivals(log, case.rate)):
            result.arrivals.append(came)
        if case.turns > 1:
            result.turns_late_s += turns.late_s(job.sessions, log, case.delay_s)


def _issue_certificate(folder: Path) -> tuple[Path, Path]:
    """Return an authority's certificate, and one that it issued for localhost."""
    import trustme

    authority = trustme.CA()
    trust, certificate = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(trust))
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    return trust, certificate
