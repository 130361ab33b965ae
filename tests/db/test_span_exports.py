"""Which runs wait to be sent as spans, and their requests in pieces."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from db import queue, recording, runs, span_exports
from services.ask.measurement import Repeat
from services.report.spans.progress import Delivered, Position, RepeatCount
from tests.stored import store
from tests.values import NOON, failed, measured


def test_an_export_waits_until_its_run_has_ended(database: Engine, kind: str) -> None:
    run_id = store(database, status="running")
    span_exports.request(database, run_id, "here")
    assert span_exports.next_waiting(database, "here") is None  # it is still measured
    queue.finish(database, run_id, "interrupted", "It broke.")
    assert span_exports.next_waiting(database, "here") == run_id
    renamed = span_exports.next_waiting(database, "elsewhere")
    assert renamed == (run_id if kind == "sqlite" else None), "a file's machine has a new name"


def test_waiting_exports_come_in_the_order_of_their_runs(database: Engine) -> None:
    first, second, other = (store(database) for _ in range(3))
    for run_id in (second, first):
        span_exports.request(database, run_id, "here")
    assert span_exports.next_waiting(database, "here") == first
    span_exports.finish(database, first, "here", Delivered("a:1", 3, Position(0, 2)), "sent")
    assert span_exports.next_waiting(database, "here") == second
    span_exports.give_up(database, second, "It is away.")
    assert span_exports.next_waiting(database, "here") is None
    with database.connect() as connection:
        counts = span_exports.status_counts(connection)
    assert counts == {"waiting": 0, "sent": 1, "failed": 1}
    assert span_exports.load(database, other) is None


def test_spans_sent_before_are_not_sent_again(database: Engine) -> None:
    run_id = store(database)
    delivered = Delivered("a:1", 2, Position(0, 1))
    span_exports.request(database, run_id, "here")
    span_exports.advance(database, run_id, "here", delivered)
    found = span_exports.load(database, run_id)
    assert found and (found.status, found.delivered) == ("waiting", delivered)
    span_exports.finish(database, run_id, "here", delivered, "failed", "It is away.")
    span_exports.request(database, run_id, "here")
    found = span_exports.load(database, run_id)
    assert found and (found.status, found.delivered, found.error) == ("waiting", delivered, None)


def test_an_unrequested_run_can_be_sent_and_a_deleted_one_has_no_export(database: Engine) -> None:
    run_id = store(database)
    span_exports.finish(database, run_id, "here", Delivered("a:1", 3), "sent")
    assert span_exports.load(database, run_id) is not None
    runs.delete(database, run_id)
    span_exports.finish(database, run_id, "here", Delivered("a:1", 3), "sent")
    assert span_exports.load(database, run_id) is None


def test_requests_are_read_in_pieces_once_and_in_order(database: Engine) -> None:
    rows = [measured(i, repeat=r, answer=f"{r}.{i}") for r in range(3) for i in range(5)]
    run_id = store(database, rows)
    store(database)  # another run's requests are not among them
    seen, after = [], None
    while piece := span_exports.read_requests(database, run_id, after, 4):
        assert len(piece) <= 4
        seen += piece
        after = Position(piece[-1].repeat, piece[-1].index)
    assert seen == [replace(m, token_times=(), answer=None) for m in rows]
    with_texts = span_exports.read_requests(database, run_id, Position(1, 3), 3, texts=True)
    assert [m.answer for m in with_texts] == ["1.4", "2.0", "2.1"]


def test_the_requests_of_each_repeat_are_counted(database: Engine) -> None:
    run_id = store(database, [measured(0), failed(1), measured(2, e2e=9.0), measured(repeat=1)])
    recording.add_repeat(database, run_id, Repeat(2, NOON, None, {}))
    assert span_exports.repeat_counts(database, run_id) == [
        RepeatCount(0, 3, 1, 9.0),
        RepeatCount(1, 1, 0, 3.0),
    ]
