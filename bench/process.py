"""A client run to its end: what it printed, and what it and all its children cost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psutil

from bench.tree import Tree

ROOT = Path(__file__).resolve().parent.parent
LOOK_S = 0.25  # between two looks at the tree


class Overran(RuntimeError):
    """It did not finish in time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`cpu_s` and `peak_mb` are of the whole process tree; shared pages count once."""

    out: bytes
    code: int
    cpu_s: float
    peak_mb: float
    wall_s: float


def run(
    command: Sequence[str], line: bytes, env: Mapping[str, str], limit_s: float, errors: Path
) -> Ended:
    """Run `command`, give it one line of input, which stays open, and wait for its end.

    Raises:
        Overran: it was still running after `limit_s` seconds, and was killed.
    """
    began = time.monotonic()
    process = _started(command, env, errors)
    assert process.stdin and process.stdout
    pieces: list[bytes] = []
    reader = Thread(target=_drain, args=(process.stdout.fileno(), pieces), daemon=True)
    reader.start()
    with suppress(BrokenPipeError):  # it has already ended: its exit code says why
        process.stdin.write(line)
        process.stdin.flush()
    tree = Tree(psutil.Process(process.pid))
    overran = not _watched_to_its_end(process.pid, tree, began + limit_s)
    wall_s = time.monotonic() - began
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left running, or all of it
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with suppress(BrokenPipeError):
        process.stdin.close()
    reader.join()
    process.stdout.close()
    if overran:
        raise Overran
    waited_s = usage.ru_utime + usage.ru_stime  # including children that it waited for
    return Ended(
        b"".join(pieces), process.returncode, max(waited_s, tree.cpu_s), tree.peak_mb, wall_s
    )


def _started(
    command: Sequence[str], env: Mapping[str, str], errors: Path
) -> subprocess.Popen[bytes]:
    with errors.open("wb") as stderr:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # so that it can be killed with its children
        )


def _watched_to_its_end(pid: int, tree: Tree, until: float) -> bool:
    """Sample what the process tree uses every LOOK_S; return whether it ended in time."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        tree.look()
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True


def _drain(source: int, pieces: list[bytes]) -> None:
    while piece := os.read(source, 2**20):
        pieces.append(piece)
