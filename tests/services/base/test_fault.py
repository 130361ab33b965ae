"""An error that nobody thought of ends a run with a sentence, without its own words."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from services.ask.config import RunConfig, parse
from services.ask.work_item import WorkItem
from services.base.fault import fault
from services.base.redact import redact
from services.base.root import ROOT
from services.load.protocol import VERSION, End, ProgressSeen, Requests, decode, encode, expect
from tests.canned import canned
from tests.conftest import started_worker
from tests.services.wire.test_floods import tokens

pytestmark = pytest.mark.slow

SECRET = "sk-very-secret-000000"


def test_an_internal_error_is_named_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        try:
            redact(SECRET, [SECRET], limit=SECRET)  # type: ignore[arg-type]
        except TypeError as error:
            name = fault(error)
    assert name.startswith(
        "Internal error in Paceline: TypeError in services/base/redact.py, line "
    )
    assert "\n" not in name and SECRET not in name + caplog.text
    assert "TypeError" in caplog.text and "Traceback" not in caplog.text


def last_of_worker(line: bytes) -> End:
    worker = subprocess.run(
        [sys.executable, "-m", "services.load.worker"], input=line, capture_output=True, cwd=ROOT
    )
    assert worker.returncode == 0 and "Traceback" not in worker.stderr.decode()
    return expect(End, worker.stdout.splitlines()[-1])


def test_a_worker_reports_an_internal_error_in_its_last_message() -> None:
    env: dict[str, str] = {"NAME": 7}  # type: ignore[dict-item]
    last = last_of_worker(encode(WorkItem(RunConfig(), env=env)))
    assert not last.cancelled and "Internal error" in (last.problem or "")


OTHER = encode(WorkItem(RunConfig())).replace(
    b'"version":%d' % VERSION, b'"version":%d' % (VERSION + 1)
)


@pytest.mark.parametrize("line", [b"{\n", b'{"config": 7}\n', b"\n", OTHER])
def test_a_worker_refuses_a_work_item_of_another_version(line: bytes) -> None:
    problem = last_of_worker(line).problem or ""
    assert problem.startswith(("A process of Paceline sent", "Two processes of Paceline have"))


@pytest.mark.long
def test_a_worker_that_is_stopped_amid_a_flood_records_what_was_in_flight() -> None:
    with answering(tokens) as base_url:
        config = parse(
            {
                "backend": "url",
                "base_url": base_url,
                "model": "m",
                "mode": "batch",
                "requests": 1,
                "warmup": 0,
                "timeout_s": 60.0,
            }
        )
        with started_worker(config) as worker:
            assert worker.stdin and worker.stdout
            messages = map(decode, iter(worker.stdout.readline, b""))
            next(m for m in messages if isinstance(m, ProgressSeen) and m.progress.tokens)
            worker.stdin.close()
            rest = list(messages)
    batches = [message for message in rest if isinstance(message, Requests)]
    (seen,) = [seen for batch in batches for seen in batch.measurements()]
    assert seen.status == "cancelled" and len(seen.token_times) > 1000
    assert rest[-1] == End(True, None)


@contextmanager
def answering(flood: Callable[[], Iterable[bytes]]) -> Iterator[str]:
    """A server whose answers, of whatever it is asked, are that flood."""

    class Anew:
        def __iter__(self) -> Iterator[bytes]:
            return iter(flood())

    with canned(Anew()) as base_url:
        yield base_url
