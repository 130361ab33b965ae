"""A process ends with its parent, or with its time, whatever it is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns

import psutil
import pytest

from services.servers.protocol import encode
from services.servers.telemetry.target import SamplerTarget
from tests.conftest import ROOT, until

pytestmark = pytest.mark.slow

# A pattern that goes back for years, and holds the interpreter's lock meanwhile.
ENDLESS = "import re; re.fullmatch('(a*)*b', 'a' * 200)"
CHILD = f"from services.base.watchdog import *; end_with_parent(); print(1, flush=True); {ENDLESS}"
PARENT = (
    "import subprocess, sys\n"
    "pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}\n"
    "child = subprocess.Popen([sys.executable, *sys.argv[2:]], start_new_session=True, **pipes)\n"
    "child.stdin.write(sys.argv[1].encode() + b'\\n')\n"
    "child.stdin.flush()\n"
    "child.stdout.readline()\n"
    "print(child.pid, flush=True)\n"
    "sys.stdin.read()\n"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")


@contextmanager
def orphaned(message: str, *arguments: str) -> Iterator[psutil.Process]:
    """A process that was started by another, was told `said` and has said a line; the other is
    killed at the end."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, message, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        yield child
        parent.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 10)


@linux
def test_a_busy_process_ends_with_its_parent() -> None:
    with orphaned("", "-c", CHILD) as child:
        until(lambda: child.cpu_times().user > 0.2, 30)


@linux
def test_a_sampler_ends_with_a_supervisor_that_is_killed() -> None:
    sampler_target = SamplerTarget("url", "http://127.0.0.1:9/v1", perf_counter_ns())
    with orphaned(
        encode(sampler_target).decode().strip(), "-m", "services.servers.telemetry"
    ) as sampler:
        sampler.suspend()  # as one that computes for ever


def test_a_process_ends_with_its_standard_input() -> None:
    code = CHILD.replace(ENDLESS, "import time; time.sleep(600)")
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(30) == 0


def test_a_process_over_its_cpu_limit_is_killed() -> None:
    code = (
        "from services.base.watchdog import *\n"
        "with cpu_limit(5): pass\n"
        f"with cpu_limit(0.2): {ENDLESS}\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=240)
    assert ended.returncode == -signal.SIGPROF
