"""Units and digits, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.base.units import (
    NOTHING,
    between,
    count,
    dollars,
    listed,
    many,
    seconds,
    share,
    show,
    significant,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0123, "0.0123"),
        (0.012345, "0.0123"),
        (0.5, "0.500"),
        (1, "1.00"),
        (4.5649, "4.56"),
        (45.67, "45.7"),
        (456.7, "457"),
        (12_345.6, "12,346"),
        (1e9, "1,000,000,000"),
        (-4.56, "-4.56"),
        (-0.0123, "-0.0123"),
        (1e-6, "0.00000100"),
        (4e-8, "0.0000000400"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (0.09996, "0.100"),
        (99.96, "100"),
        (999.6, "1,000"),
        (-9.996, "-10.0"),
        (1e-300, "0.000000000000000"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "–"),
    ],
)
def test_three_digits_matter_and_no_exponent_is_shown(value: float, shown: str) -> None:
    assert significant(value) == shown


@given(st.floats(1e-9, 1e12))
def test_a_shown_number_is_within_half_of_its_last_digit(value: float) -> None:
    shown = float(significant(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (0.000_000_5, "0.500 µs"),
        (0.00085, "850 µs"),
        (0.001, "1.00 ms"),
        (0.0123, "12.3 ms"),
        (0.5, "500 ms"),
        (1, "1.00 s"),
        (4.5649, "4.56 s"),
        (59.94, "59.9 s"),
        (119, "119 s"),
        (120, "2 min 00 s"),
        (119.6, "2 min 00 s"),
        (125.4, "2 min 05 s"),
        (125.9, "2 min 06 s"),
        (179.7, "3 min 00 s"),
        (7199.7, "2 h 00 min"),
        (10_799, "3 h 00 min"),
        (0.000_999_7, "1.00 ms"),
        (0.9997, "1.00 s"),
        (9.996, "10.0 s"),
        (3725, "62 min 05 s"),
        (7199, "119 min 59 s"),
        (7200, "2 h 00 min"),
        (90_000, "25 h 00 min"),
        (1.31e-17, "0 s"),
        (-1.31e-17, "0 s"),
        (1e-9, "0.00100 µs"),
        (-0.002, "-2.00 ms"),
        (-3.0, "-3.00 s"),
        (-125.4, "-2 min 05 s"),
        (-7200, "-2 h 00 min"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "–"),
    ],
)
def test_a_time_is_shown_in_a_readable_unit(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "$0.00"),
        (0.999, "$1.00"),
        (0.00042, "$0.00042"),
        (0.5, "$0.50"),
        (1, "$1.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_a_price_has_two_decimals_or_two_significant_digits(value: float, shown: str) -> None:
    assert dollars(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0 %"), (0.1234, "12.3 %"), (1, "100 %"), (0.0004, "0.0400 %")]
)
def test_a_share_is_shown_per_cent(value: float, shown: str) -> None:
    assert share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999.97, "1,000"),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (1234, "1,234"),
        (1234.4, "1,234"),
    ],
)
def test_a_count_is_whole_and_a_mean_of_counts_keeps_a_digit(value: float, shown: str) -> None:
    assert count(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0 tokens"), (1, "1 token"), (1.0, "1 token"), (2.5, "2.5 tokens"), (5e3, "5,000 tokens")],
)
def test_a_count_of_one_is_singular(number: float, shown: str) -> None:
    assert many(number, "token") == shown


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("s", "2.50 s"),
        ("$", "$2.50"),
        ("USD", "$2.50"),
        ("share", "250 %"),
        ("tokens", "2.5"),
        ("count", "2.5"),
        ("", "2.50"),
        ("tokens/s", "2.50 tokens/s"),
    ],
)
def test_each_unit_has_its_own_format(unit: str, shown: str) -> None:
    assert show(2.5, unit) == shown
    assert show(None, unit) == NOTHING


@pytest.mark.parametrize("unit", ["s", "$", "USD", "share", "tokens", "count", "", "tokens/s"])
def test_nan_is_a_dash_and_infinity_is_shown(unit: str) -> None:
    assert show(math.nan, unit) == NOTHING
    assert "∞" in show(math.inf, unit)


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_longer_time_is_never_shown_as_a_shorter_one(first: float, second: float) -> None:
    shorter, longer = sorted((first, second))
    assert seconds_shown(seconds(shorter)) <= seconds_shown(seconds(longer))


def seconds_shown(text: str) -> float:
    """How long a time is, by what is shown of it."""
    in_seconds = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
    words = text.split()
    return sum(float(n) * in_seconds[u] for n, u in zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(
    ("low", "high", "unit", "shown"),
    [
        (0.0223, 0.0234, "s", "22.3–23.4 ms"),
        (0.00085, 0.0012, "s", "850 µs – 1.20 ms"),
        (1500.0, 2150.0, "tokens/s", "1,500–2,150 tokens/s"),
        (0.832, 0.887, "share", "83.2–88.7 %"),
        (245.0, 257.0, "", "245–257"),
        (59.0, 130.0, "s", "59.0 s – 2 min 10 s"),
        (130.0, 190.0, "s", "2 min 10 s – 3 min 10 s"),
    ],
)
def test_a_shared_unit_is_written_once(low: float, high: float, unit: str, shown: str) -> None:
    assert between(low, high, unit) == shown


def test_names_are_listed_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"], "or") == "a or b"
    assert listed(iter("abc")) == "a, b and c"
