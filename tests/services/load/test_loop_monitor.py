"""Results travel in batches that fit in a message, however long the answers."""

from __future__ import annotations

from services.ask.measurement import Measurement
from services.base.ipc import LINE_BYTES
from services.load.loop_monitor import ROWS_PER_MESSAGE, batches
from services.load.protocol import Requests, encode


def row(index: int, tokens: int, word: str = "word ") -> Measurement:
    times = tuple(round(1000 + at * 0.031234567, 9) for at in range(tokens))
    return Measurement(0, index, "ok", 0.0, token_times=times, answer=word * tokens)


def test_a_batch_of_very_long_answers_fits_in_a_message() -> None:
    """Together they are 72 MB, more than a line may have."""
    rows = [row(0, 36_000)] * 100
    assert len(encode(Requests(rows))) > LINE_BYTES
    cut = list(batches(rows))
    assert [each for batch in cut for each in batch] == rows
    assert max(len(encode(Requests(batch))) for batch in cut) < LINE_BYTES / 4
    assert len(cut) < 20


def test_batches_of_text_that_is_escaped_fit_too() -> None:
    rows = [row(0, 36_000, word="\0" * 8)] * 100
    assert max(len(encode(Requests(batch))) for batch in batches(rows)) < LINE_BYTES / 2


def test_short_answers_are_sent_by_their_number() -> None:
    rows = [row(index, 3) for index in range(ROWS_PER_MESSAGE * 2 + 1)]
    cut = list(batches(rows))
    assert [len(batch) for batch in cut] == [ROWS_PER_MESSAGE, ROWS_PER_MESSAGE, 1]
    assert [each for batch in cut for each in batch] == rows
    assert list(batches([])) == []


def test_an_answer_longer_than_a_batch_travels_alone() -> None:
    rows = [row(0, 3), row(1, 10, word="x" * 10**6), row(2, 3)]
    assert [len(batch) for batch in batches(rows)] == [1, 1, 1]
