"""`traces`: stored runs are sent as OpenTelemetry spans."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.cli.conftest import RunCli
from tests.receiver import Received, receiving
from tests.stored import store
from tests.values import measured

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with receiving() as receiver:
        monkeypatch.setenv(ENDPOINT, receiver.url)
        yield receiver


def test_sent_runs_are_reported_with_their_receiver(
    database: Engine, run_cli: RunCli, received: Received
) -> None:
    store(database), store(database, [measured(0)])
    where = f"127.0.0.1:{received.port}"
    result = run_cli("traces", "1", "2")
    assert (result.code, result.err) == (0, "")
    assert result.out == (
        f"Run 1: 3 requests sent as spans to {where}.\nRun 2: 1 request sent as spans to {where}.\n"
    )
    assert len(received.by_id()) == 3 + 2 + 1 + 2
    assert run_cli("show", "1").out.endswith(f"\n3 requests sent as spans to {where}.\n")
    told = json.loads(run_cli("traces", "1", "--json").out)
    assert told == [{"run": 1, "receiver": where, "requests": 3, "rejected": None}]


def test_answers_are_sent_only_on_request(
    database: Engine, run_cli: RunCli, received: Received
) -> None:
    store(database, [measured(0, answer="Forty-two.")])
    run_cli("traces", "1")
    assert b"Forty-two." not in b"".join(received.raw)
    run_cli("traces", "1", "--texts")
    assert b"Forty-two." in b"".join(received.raw)


def test_a_refusal_is_reported_and_fails(
    database: Engine, run_cli: RunCli, received: Received
) -> None:
    store(database)
    received.answers = [(403, {}, b"no")]
    result = run_cli("traces", "1")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Run 1: 127.0.0.1:") and "HTTP 403: no" in result.err


def test_a_wait_for_the_receiver_is_reported_once(
    database: Engine, run_cli: RunCli, received: Received
) -> None:
    store(database)
    received.answers = [(503, {"Retry-After": "0"}, b"busy")] * 3
    result = run_cli("traces", "1")
    assert result.code == 0
    assert result.err.startswith(f"Run 1: 127.0.0.1:{received.port} does not accept spans now")
    assert result.err.endswith(" Trying again for 5 minutes.\n") and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["1", "1"], "Run 1 is named twice."),
        (["7"], "There is no run 7."),
        (["1", "2"], "Run 2 has not ended yet."),
    ],
)
def test_an_invalid_run_is_refused_before_any_is_sent(
    database: Engine, run_cli: RunCli, received: Received, typed: list[str], message: str
) -> None:
    store(database), store(database, status="running")
    result = run_cli("traces", *typed)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
    assert not received.bodies


def test_a_missing_receiver_is_reported_with_its_setting(database: Engine, run_cli: RunCli) -> None:
    store(database)
    result = run_cli("traces", "1")
    assert (result.code, result.out) == (2, "")
    assert ENDPOINT in result.err
