"""Filters of History that are saved under a name."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from db import filters
from db.filters import InvalidFilter, SavedFilter
from db.named import NameTaken
from services.base.errors import Invalid


def test_a_filter_is_saved_replaced_and_deleted(database: Engine) -> None:
    filters.save(database, " nightly ", {"tag": "nightly"})
    filters.save(database, "big", {"text": "70B", "mode": "batch"})
    with pytest.raises(NameTaken, match="There is already a saved filter “nightly”"):
        filters.save(database, "nightly ", {"tag": "a"})
    values = {"tag": "nightly", "trend": "e2e_s_median"}
    filters.save(database, "nightly", values, replace=True)
    assert filters.list_all(database) == [
        SavedFilter("big", {"text": "70B", "mode": "batch"}),
        SavedFilter("nightly", {"tag": "nightly", "trend": "e2e_s_median"}),
    ]
    for _ in range(2):
        filters.delete(database, "big")
    assert [each.name for each in filters.list_all(database)] == ["nightly"]


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("  ", {"tag": "a"}, "A filter needs a name"),
        ("x" * 41, {"tag": "a"}, "at most 40 characters"),
        ("all", {}, "There is no filter to save"),
    ],
)
def test_an_invalid_filter_is_not_saved(
    database: Engine, name: str, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidFilter, match=message):
        filters.save(database, name, parameters)


def test_the_number_of_saved_filters_is_limited(database: Engine) -> None:
    for number in range(filters.MOST):
        filters.save(database, str(number), {"tag": "a"})
    filters.save(database, "0", {"tag": "b"}, replace=True)
    with pytest.raises(Invalid, match="Delete one first"):
        filters.save(database, "one more", {"tag": "a"})
