"""Events come out the same wherever the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire.sse import Event, EventStream, StreamTooLong

STREAM = (
    ": a ping\n\n"
    'data: {"a": "spring – \u2028 früh"}\n\n'
    "data:without space\r\n\r\n"
    "event: error\rdata: bad\r\r"
    "id: 7\nretry: 10\nunknown: x\n\n"
    "data: two\ndata: lines\n\n"
    "data: [DONE]\n\n"
).encode()
EVENTS = [
    Event(b"", '{"a": "spring – \u2028 früh"}'.encode()),
    Event(b"", b"without space"),
    Event(b"error", b"bad"),
    Event(b"", b"two\nlines"),
    Event(b"", b"[DONE]"),
]


def read(pieces: list[bytes]) -> list[Event]:
    stream = EventStream()
    return [event for piece in pieces for event in stream.feed(piece)]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_events_may_be_cut_at_every_byte(cut: int) -> None:
    assert read([STREAM[:cut], STREAM[cut:]]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_events_may_be_cut_anywhere_many_times(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[a:b] for a, b in itertools.pairwise(edges)]) == EVENTS


def test_an_event_is_complete_at_its_empty_line() -> None:
    stream = EventStream()
    assert stream.feed(b"data: x\r\r") == [Event(b"", b"x")]
    assert stream.feed(b"\ndata: y\n\n") == [Event(b"", b"y")]


def test_an_event_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    stream = EventStream(limit=100)
    with pytest.raises(StreamTooLong):
        for _ in range(20):
            stream.feed(b"data: aaaaaaaaaa")


def test_short_lines_count_with_their_memory_overhead() -> None:
    stream = EventStream(limit=10_000)
    with pytest.raises(StreamTooLong):
        for _ in range(200):
            stream.feed(b"data: {\n")
