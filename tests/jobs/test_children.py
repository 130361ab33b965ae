"""What a killed engine process or worker leaves behind is found and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from db import engines
from db.database import opened
from jobs import children
from jobs.engine_supervisor import clean_up, process_tag
from services.servers.engines import EngineConfig, free_port
from services.servers.engines.process_tags import is_alive, tagged_processes
from tests.conftest import ROOT, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

HOLD = """
import os, signal, sys
from db import engines
from db.database import opened
from jobs import children
from jobs.engine_supervisor import process_tag, clean_up
from services.servers import protocol

children.adopt_orphans()
engine_id, port, log = map(str, sys.argv[1:])
parent = children.start("services.servers.engines.engine_process", log)
argv = [sys.executable, "-m", "tests.engine", port, "hides"]
tag = process_tag(opened(), int(engine_id))
parent.stdin.write(protocol.encode(protocol.EngineJob(tag, argv, {}, [], ".", int(port), False)))
parent.stdin.flush()
pid = protocol.decode(parent.stdout.readline()).pid
engines.update_running(opened(), int(engine_id), pid=pid)
print(pid, flush=True)
for line in sys.stdin:
    if line == "kill it\\n":
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        clean_up(opened(), int(engine_id))
        children.reap()
        print(len(children.orphans()), flush=True)
"""


def bare(first: int, log: Path) -> list[psutil.Process]:
    """The engine's children that have cleared their environment, once they have begun."""
    if not log.exists() or log.read_text().count("child") < 2:
        return []
    there = [p for p in psutil.Process(first).children() if p.cmdline()[1:2] == ["-c"]]
    return there if len(there) == 2 and not any(p.environ() for p in there) else []


@pytest.fixture
def holder(database: Engine, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """A process that keeps an engine as the supervisor does, the engine's id and first process."""
    engine_id = engines.create(database, EngineConfig())
    assert engines.claim(database)
    command = [sys.executable, "-c", HOLD, str(engine_id), str(free_port()), f"{tmp_path}/log"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        yield holder, engine_id, int(holder.stdout.readline())
        holder.kill()


Held = tuple[subprocess.Popen[str], int, int]


@pytest.mark.long
def test_children_that_cleared_their_environment_end_with_a_killed_holder(
    holder: Held, tmp_path: Path
) -> None:
    process, engine_id, first = holder
    left = until(lambda: bare(first, tmp_path / "log"), 30)
    assert not {p.pid for p in left} & {
        p.pid for p in tagged_processes(process_tag(opened(), engine_id))
    }
    assert process.stdin and process.stdout
    process.stdin.write("kill it\n")
    process.stdin.flush()
    assert process.stdout.readline() == "0\n"
    assert not any(is_alive(p) for p in left)
    process.stdin.close()
    assert process.wait(10) == 0


def test_a_process_that_does_not_adopt_has_no_orphans() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert children.orphans() == []
        child.kill()


@pytest.mark.long
def test_the_next_supervisor_ends_the_session_of_an_orphaned_engine(
    holder: Held, tmp_path: Path
) -> None:
    process, engine_id, first = holder
    left = until(lambda: bare(first, tmp_path / "log"), 30)
    engine_process = psutil.Process(first).parent()
    assert engine_process is not None
    engine_process.kill()
    process.kill()
    process.wait()
    until(lambda: not psutil.pid_exists(first) or not is_alive(psutil.Process(first)), 30)
    (inside,) = [p for p in left if is_alive(p) and _session_of(p) == first]
    clean_up(opened(), engine_id)
    assert not is_alive(inside)
    for survivor in left:  # the other has left everything behind by which it could be known
        if survivor.is_running():
            survivor.kill()


def _session_of(process: psutil.Process) -> int:
    return os.getsid(process.pid)
