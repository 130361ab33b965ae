"""What a server says is short, printable, finite, and no secret of ours."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.base.redact import READ
from services.base.untrusted import FURTHEST, data, integer, number, text

KEY = "a-key.of+no/known=form"
PROMPT = "Please keep\nthis  to yourself: the merger is on Monday."
LONG = "x" * 5_000_000


@pytest.mark.parametrize("value", [KEY, f"Bearer {KEY}", f"{KEY}{KEY}", f"{'y' * 1970} {KEY}"])
def test_a_key_is_removed_anywhere(value: str) -> None:
    assert KEY[:15] not in text(value, [KEY], 2_000)


def test_a_key_cut_off_at_the_length_limit_is_removed() -> None:
    prompt = "p" * (READ - 15)
    assert KEY[:6] not in text(prompt + KEY, [KEY, prompt])
    assert KEY[:6] not in text("a" + " " * (FURTHEST - 16) + KEY, [KEY])


def test_a_prompt_is_removed_also_where_its_lines_are_joined() -> None:
    for value in (PROMPT, " ".join(PROMPT.split()), orjson.dumps(PROMPT).decode(), PROMPT[3:30]):
        cleaned = text(f"stop: {value}", [PROMPT])
        assert "merger" not in cleaned and "keep" not in cleaned, cleaned


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("stop", "stop"),
        ("  two\r\n\tlines\x00 ", "two lines"),
        ("a\u202eb\u2066c\u200bd", "a b c d"),
        ("\x1b[31mred", "[31mred"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d", "�"),
        (LONG, "x" * 299 + "…"),
        (5, ""),
        (None, ""),
        (["stop"], ""),
    ],
)
def test_a_text_becomes_one_short_line(value: Any, expected: str) -> None:
    assert text(value) == expected
    assert len(text(value, limit=20)) <= 20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7),
        (-7, -7),
        ("12", 12),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (-(2**63) - 1, None),
        (10**24, None),
        ("9" * 19, None),
        ("9" * 25, None),
        ("9" * 100_000, None),
        ("²", None),
        ("١٢", None),
        ("1_000", None),
        (" 1", None),
        ("", None),
        (True, None),
        (1.0, None),
        (None, None),
        ([1], None),
    ],
)
def test_whole_numbers_fit_64_bits(value: Any, expected: int | None) -> None:
    assert integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 0.5),
        (3, 3.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-2", -2.0),
        (float("nan"), None),
        (float("inf"), None),
        ("inf", None),
        ("1e999", None),
        (1e308, None),
        ("1e308", None),
        (-1e19, None),
        ("NaN", None),
        (10**400, None),
        ("1" * 100_000, None),
        ("²", None),
        ("1_0", None),
        ("0x10", None),
        ("", None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_numbers_are_finite(value: Any, expected: float | None) -> None:
    assert number(value) == expected


def test_data_is_sanitised_at_every_depth() -> None:
    deep: Any = KEY
    for _ in range(1000):
        deep = [deep]
    value = {
        KEY: {"version": f"1.0 {KEY}", "long": LONG, "size": 10**25, "share": float("nan")},
        "deep": deep,
        "many": list(range(100_000)),
        "plain": [1, 0.5, True, None, "bfloat16"],
    }
    cleaned = data(value, [KEY])
    written = orjson.dumps(cleaned)
    assert KEY.encode() not in written and len(written) < 10_000
    assert cleaned["plain"] == value["plain"]
    assert cleaned["[removed]"]["size"] is None and cleaned["[removed]"]["share"] is None
