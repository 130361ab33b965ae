"""What is counted in a body before it is read, and what may stand in its texts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.json_body import (
    MAX_CONTAINERS,
    MAX_ENTRIES,
    MAX_NAMES,
    InvalidBody,
    TooManyEntries,
    read_json,
)

TEXTS = ['a,b:[{"', '\\", [[[', "\\" * 9, '\\"' * 5, "é\u2200\U0001f600", "\n\t", ":" * 200_000]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:8]))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_punctuation_within_a_text_is_not_counted(text: str, ascii_only: bool) -> None:
    body = {"prompts": [text * 3, text], text: text}
    assert read_json(json.dumps(body, ensure_ascii=ascii_only).encode()) == body


def test_the_largest_valid_body_is_read() -> None:
    many = [{"prompts": ["why, though?"] * 10_000, "requests": n} for n in range(8)]
    assert read_json(json.dumps({"candidates": many}).encode())["candidates"] == many


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([0] * (MAX_ENTRIES + 1), "entries"),
        (["a"] * (MAX_ENTRIES + 2), "entries"),
        ([[]] * MAX_CONTAINERS, "lists and objects"),
        ([{}] * MAX_CONTAINERS, "lists and objects"),
        ({str(n): 1 for n in range(MAX_NAMES + 1)}, "fields"),
    ],
    ids=["numbers", "texts", "lists", "objects", "fields"],
)
def test_a_larger_body_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch, body: Any, message: str
) -> None:
    data = json.dumps(body).encode()
    monkeypatch.setattr(json, "loads", None)  # would be an error
    with pytest.raises(TooManyEntries, match=message):
        read_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[" * 900,
        '"é"'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'"\\',
        b'"\\"',
        b"1" * 5000,
    ],
    ids=lambda data: repr(data[:6]),
)
def test_a_body_that_is_not_json_in_utf8_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidBody):
        read_json(data)


def test_a_byte_order_mark_is_ignored() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
