"""Keys and addresses of whoever submits a run, with a supervisor that has others or none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import psutil
import pytest
from sqlalchemy import Engine

import jobs
from db import queue, runs
from jobs.destination import LOST
from jobs.keys import Keys, hand_over
from jobs.supervisor_lock import supervisor_file
from services.analysis.comparison_design import ComparisonDesign
from services.ask.address import origin
from services.ask.backends import BackendProblem
from services.ask.config import parse
from tests.conftest import ROOT, SLOW, ReferenceServer, finished, serving, until
from tests.jobs.conftest import supervisors
from tests.reference import KEY

OPEN = "ref tokens=2 fault=needs-key"
ASKED = {"backend": "openai", "model": OPEN, "requests": 1, "warmup": 0, "calibrate": False}


@pytest.fixture
def keyless(database: Engine, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch) -> int:
    """A supervisor at work that was started without a key; the run that keeps it busy."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    busy = {"backend": "url", "base_url": reference.base_url, "max_tokens": 2000}
    run_id = jobs.submit(database, parse({**busy, "model": SLOW, "requests": 1}))
    until(lambda: runs.load(database, run_id).status == "running", 30)
    return run_id


def everything_beside(database: Engine) -> bytes:
    """All that is written down: the database with its log, the lock, what was said."""
    folder = supervisor_file(database, "lock").parent
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def visible() -> str:
    """Command lines and first environments of the processes of this test's database."""
    processes = psutil.process_iter(["cmdline", "environ"])
    return "".join(
        f"{each.info}"
        for each in processes
        if (each.info["environ"] or {}).get("PACELINE_DATABASE_URL")
        == os.environ["PACELINE_DATABASE_URL"]
        and each.pid != os.getpid()
    )


@pytest.fixture(scope="module")
def other() -> Iterator[ReferenceServer]:
    """Another server, for which no task waits."""
    with serving() as port:
        yield ReferenceServer(port)


@pytest.mark.long
def test_the_cli_sends_its_own_key_to_its_own_address(
    database: Engine, keyless: int, other: ReferenceServer
) -> None:
    flags = ["--backend", "openai", "--model", OPEN, "--requests", "1", "--warmup", "0", "--json"]
    own = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": other.base_url}
    done = subprocess.run(
        [sys.executable, "cli.py", "run", *flags],
        cwd=ROOT,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run_id,) = {run.id for run in runs.search(database)} - {keyless}
    assert runs.load(database, run_id).status == "done"
    stored, ticket = queue.destination(database, run_id)
    assert stored is not None and ticket is not None
    assert stored["target"]["base_url"] == other.base_url
    assert KEY.encode() not in everything_beside(database)
    assert KEY not in done.stdout + done.stderr
    jobs.cancel(database, keyless)


@pytest.mark.long
def test_a_typed_key_is_forgotten_after_its_run(
    database: Engine, keyless: int, other: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
    with pytest.raises(BackendProblem, match="needs a key"):
        jobs.submit(database, parse(ASKED))
    slow = {**ASKED, "model": "ref tokens=40 gap=0.05 fault=needs-key"}
    run_id = jobs.submit(database, parse(slow), typed={origin(other.base_url): KEY})
    until(lambda: runs.load(database, run_id).phase.startswith("Measuring"), 30)
    assert KEY not in visible()
    assert finished(database, run_id).status == "done"
    assert KEY.encode() not in everything_beside(database)
    with pytest.raises(BackendProblem, match="needs a key"):
        jobs.more(database, [run_id], 1)
    jobs.more(database, [run_id], 1, typed={origin(other.base_url): KEY})
    run = finished(database, run_id)
    assert (run.status, len(run.repeats)) == ("done", 2)
    jobs.cancel(database, keyless)


@pytest.mark.long
def test_every_repeat_of_a_comparison_gets_its_key(
    database: Engine, keyless: int, other: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", other.base_url)
    there = parse({**ASKED, "mode": "batch"})
    design = ComparisonDesign(repeats=2, most=3, target=1e-9)
    comparison = jobs.submit_comparison(
        database, [there, there], design, typed={origin(other.base_url): KEY}
    )
    ended = [finished(database, run_id, 90) for run_id in comparison.run_ids]
    until(lambda: queue.active(database) == 1, 90)
    ended = [runs.load(database, run_id) for run_id in comparison.run_ids]
    assert [(run.status, len(run.repeats)) for run in ended] == [("done", 3)] * 2
    jobs.cancel(database, keyless)


def submitted_behind(database: Engine, keyless: int, reference: ReferenceServer) -> int:
    """A run with a key of its own, which waits for one that is measured."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OPENAI_BASE_URL", reference.base_url)
        return jobs.submit(database, parse(ASKED), typed={origin(reference.base_url): KEY})


def killed(database: Engine, keyless: int) -> None:
    """Kill the supervisor while the first run is measured and the other waits."""
    (supervisor,) = supervisors()
    supervisor.kill()
    supervisor.wait(5)
    until(lambda: jobs.ensure(database) or supervisors(), 30)  # its last child may hold the lock


@pytest.mark.long
def test_a_run_reports_that_its_key_was_lost_with_the_supervisor(
    database: Engine, keyless: int, reference: ReferenceServer
) -> None:
    run_id = submitted_behind(database, keyless, reference)
    killed(database, keyless)
    run = finished(database, run_id, 60)
    assert (run.status, run.error) == ("failed", LOST)


@pytest.mark.long
def test_a_lost_key_is_taken_from_the_environment_of_the_next_supervisor(
    database: Engine, keyless: int, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = submitted_behind(database, keyless, reference)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", reference.base_url)
    killed(database, keyless)
    assert finished(database, run_id, 60).status == "done"


@pytest.mark.long
def test_a_key_of_the_supervisor_is_not_sent_to_another_users_address(
    database: Engine, keyless: int, reference: ReferenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = submitted_behind(database, keyless, reference)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    killed(database, keyless)
    assert finished(database, run_id, 60).error == LOST


@pytest.mark.long
def test_another_user_cannot_hand_over_keys(database: Engine, keyless: int) -> None:
    where = Path(until(lambda: supervisor_file(database, "lock").read_text(), 10))
    assert where.parent.stat().st_mode & 0o777 == 0o700
    uid = 65_534
    if os.getuid() == 0:  # another user, who was let into the folder
        os.chmod(where.parent, 0o777)
        os.chmod(where, 0o777)
        code = (
            f"import os, socket; os.setuid({uid}); s = socket.socket(socket.AF_UNIX); "
            f"s.connect({str(where)!r}); print('connected', flush=True); "
            f"s.sendall(b'{{\"t\": {{}}}}\\n'); print(s.recv(9))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.split() in (["connected"], ["connected", "b''"]), "it was kept"
    jobs.cancel(database, keyless)


@pytest.mark.timed
def test_silent_connections_do_not_delay_a_key(database: Engine, keyless: int) -> None:
    where = until(lambda: supervisor_file(database, "lock").read_text(), 10)
    with ExitStack() as silent:
        for _ in range(20):
            call = silent.enter_context(socket.socket(socket.AF_UNIX))
            call.settimeout(5)
            call.connect(where)
        began = monotonic()
        hand_over(database, {"t": {}})
        assert monotonic() - began < 4, "they would be waited for, five seconds each"
    jobs.cancel(database, keyless)


@pytest.mark.long
def test_a_long_temporary_folder_name_is_no_problem(
    database: Engine, reference: ReferenceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    config = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=2"}
    run_id = jobs.submit(database, parse({**config, "requests": 1, "warmup": 0}))
    assert finished(database, run_id, 60).status == "done"


def test_a_key_is_kept_only_as_long_as_its_run_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys()
    keys.add({"a": {"target": {"key": "one"}}, "b": {"target": {"key": "two"}}})
    keys.forget({"b"})
    assert keys.get("b") and keys, "one has its run, the other may get it"
    keys.forget(set())
    assert keys.get("b") is None
    monkeypatch.setattr("jobs.keys.GRACE_S", 0.0)
    keys.add({"c": {}})
    keys.forget(set())
    assert not keys.get("c")
