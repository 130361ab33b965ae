"""The list of searches: the answer of an ended one is computed once."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import Engine

from db import capacities, capacity_list
from services.studies.capacity import Capacity
from services.studies.capacity_wording import short_answer
from tests.capacities import config_of_servers, searched, stored


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The searches whose answers were computed."""
    ids: list[int] = []

    def counted(capacity: Capacity) -> str:
        ids.append(capacity.id)
        return short_answer(capacity)

    monkeypatch.setattr(capacity_list, "short_answer", counted)
    return ids


def answers(database: Engine) -> list[str]:
    return [row.answer for row in capacity_list.list_all(database)]


def test_an_answer_is_computed_once(database: Engine, computed: list[int]) -> None:
    search = searched(config_of_servers())
    number = stored(database, search)
    for _ in range(2):
        assert answers(database) == [short_answer(search)]
    assert computed == [number]
    assert capacities.load(database, number).probes


def test_it_is_computed_again_once_probes_are_added(database: Engine, computed: list[int]) -> None:
    search = searched(config_of_servers())
    number = stored(database, search)
    before = answers(database)
    capacities.resume(database, number, precision=0.05)
    more = searched(config_of_servers(precision=0.05))
    assert capacities.save_probes(database, capacities.load(database, number), more.probes)
    capacities.end(database, number, "done")
    assert answers(database) == [short_answer(capacities.load(database, number))] != before
    assert computed == [number, number]


def test_other_code_computes_it_again(
    database: Engine, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = stored(database, searched(config_of_servers()))
    versions = count()
    monkeypatch.setattr(capacity_list, "code_version", lambda *rooms: str(next(versions)))
    answers(database)
    answers(database)
    assert computed == [number, number]


def test_the_answer_of_a_running_search_is_not_stored(
    database: Engine, computed: list[int]
) -> None:
    number = stored(database, searched(config_of_servers()))
    capacities.resume(database, number, precision=0.05)
    for _ in range(2):
        answers(database)
    assert computed == [number, number]
