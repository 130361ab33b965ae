"""Messages about requests are sanitised before they are stored."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.ask.measurement import Measurement
from services.load.protocol import Requests

SEEN = Measurement(
    repeat=0,
    index=1,
    status="ok",
    t_due=0.0,
    t_send=0.1,
    t_first=0.2,
    t_answer=0.2,
    t_last=1.0,
    t_end=1.0,
    token_times=tuple(i / 1000 for i in range(5_000)),
    prompt_tokens=5,
    output_tokens=5_000,
    token_source="usage",
    http_status=200,
    finish_reason="stop",
    answer="two\nlines " * 1_000,
)


def received(**changes: Any) -> Measurement:
    (seen,) = Requests([{**orjson.loads(orjson.dumps(SEEN)), **changes}]).measurements()
    return seen


def test_a_request_round_trips_unchanged() -> None:
    assert received() == SEEN


@pytest.mark.parametrize("field", ["finish_reason", "error", "error_class"])
def test_received_texts_are_cut_to_one_short_line(field: str) -> None:
    field_received = getattr(
        received(**{field: "a\n\u202e sk-0123456789 " + "x" * 5_000_000}), field
    )
    assert field_received.startswith("a [removed] xxx") and len(field_received) <= 1_000


@pytest.mark.parametrize("field", ["prompt_tokens", "t_first", "http_status"])
@pytest.mark.parametrize("value", [10**24, 1e308, float("nan")])
def test_numbers_that_cannot_be_stored_are_unknown(field: str, value: float) -> None:
    assert getattr(received(**{field: value}), field) is None
