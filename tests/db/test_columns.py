"""What is stored comes back, whatever a server sent."""

import random
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from db.columns import Json, Key, StoredTimes, Utc, Values, pack, unpack_all
from services.base.surrogates import clean

# Of later times, after 48 days, a float of seconds has not every nanosecond.
clock_ns = st.lists(st.integers(0, 4 * 10**15), max_size=300)


@given(clock_ns)
def test_clock_times_round_trip_exactly_in_any_order(stamps: list[int]) -> None:
    times = tuple(stamp / 1e9 for stamp in stamps)
    assert StoredTimes(pack(times)) == times


@given(st.lists(st.floats(0, 1e6), max_size=300))
def test_any_time_round_trips_to_the_nanosecond(times: list[float]) -> None:
    times_read = StoredTimes(pack(times))
    assert len(times_read) == len(times)
    assert all(abs(a - b) <= 1e-9 for a, b in zip(times_read, times, strict=True))


def test_times_unpacked_together_equal_times_unpacked_alone() -> None:
    of_each = [(0.1, 0.25, 7.5), (), (1.0,), (-1.5, 2.0, 3.000000001), (86_400.000000001,)]
    many = [StoredTimes(pack(times)) for times in of_each]
    assert many[0][0] == 0.1, "one is unpacked already"
    unpack_all([*many, (4.0, 5.0)])
    assert [tuple(times) for times in many] == of_each
    assert all(times.packed is None for times in many)


def test_no_times_take_no_bytes() -> None:
    assert (pack(()), StoredTimes(b"")) == (b"", ())


def test_stored_times_behave_like_a_tuple() -> None:
    times = (1.5, 2.25, 2.25, 4.0)
    stored = StoredTimes(pack(times))
    assert (stored[0], stored[-1], stored[1:], len(stored)) == (1.5, 4.0, times[1:], 4)
    assert (list(stored), repr(stored), hash(stored)) == (list(times), repr(times), hash(times))
    assert times == stored != (*times[:3], 4.1)
    assert isinstance(stored[0], float) and not isinstance(stored[0], np.floating)
    assert np.asarray(stored) is np.asarray(stored), "unpacked once"


def test_packed_times_take_less_than_half_of_float64() -> None:
    dice = random.Random(7)
    at, times = 12.0, []
    for _ in range(128):
        at += dice.gauss(0.010, 0.001)
        times.append(round(at * 1e9) / 1e9)
    assert len(pack(times)) < 8 * len(times) / 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("größer 漢字 🙂", "größer 漢字 🙂"),
        ("\ud83d\ude42", "🙂"),  # one sign, its halves sent in two chunks
        ("a\ud83d", "a�"),
        ("\ude42b", "�b"),
        ("a\0b", "a�b"),
        ("", ""),
    ],
)
def test_characters_that_a_database_cannot_store_are_replaced(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(("key", "bound"), [(0, 0), (7, 7), (-5, -1), (2**31, -1), (10**30, -1)])
def test_a_key_out_of_range_is_bound_as_minus_one(key: int, bound: int) -> None:
    assert Key().process_bind_param(key, sqlite.dialect()) == bound


def test_a_moment_is_stored_in_utc() -> None:
    tokyo = datetime(2026, 1, 2, 8, tzinfo=timezone(timedelta(hours=9)))
    stored = Utc().process_bind_param(tokyo, sqlite.dialect())
    assert stored == tokyo
    assert stored.tzinfo is UTC


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Utc().process_bind_param(datetime(2026, 1, 2), sqlite.dialect())


BIG = 2**64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (float("inf"), None),
        (float("nan"), None),
        (BIG, None),
        (-BIG, None),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        ({"a": [1, float("-inf"), {"b": BIG}]}, {"a": [1, None, {"b": None}]}),
        ((1, "text"), [1, "text"]),
    ],
)
def test_json_holds_only_numbers_that_every_reader_can_read(
    value: object, expected: object
) -> None:
    for process in (Json().process_bind_param, Json().process_result_value):
        assert process(value, sqlite.dialect()) == expected


def test_unknown_values_are_left_out_of_a_sample() -> None:
    values = {"sum": float("inf"), "count": 3, "null": None}
    for process in (Values().process_bind_param, Values().process_result_value):
        assert process(values, sqlite.dialect()) == {"count": 3}


@given(st.lists(st.floats(), max_size=9))
def test_impossible_times_are_stored_without_an_error(times: list[float]) -> None:
    assert len(StoredTimes(pack(times))) in (0, len(times))
