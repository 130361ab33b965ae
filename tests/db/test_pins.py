"""A run is pinned as the reference of its model or of its tags, until it goes or loses them."""

import pytest
from sqlalchemy import Engine, update

from db import pins, runs
from db.database import writing
from db.pins import InvalidPin, NotPinned
from db.runs import RunNotFound
from db.schema import runs as table
from services.analysis.compare.baseline import Kind
from tests.stored import store
from tests.values import failed


def pinned(database: Engine) -> list[tuple[str, str, int]]:
    return [(pin.kind, pin.value, pin.run_id) for pin in pins.pins(database)]


def test_a_run_is_pinned_in_place_of_the_one_before(database: Engine) -> None:
    for _ in range(2):
        store(database, model="org/Model 1", tags=["été", "b"])
    pins.pin(database, "model", "org/Model 1", 1)
    pins.pin(database, "tag", "été", 1)
    assert pinned(database) == [("tag", "été", 1), ("model", "org/Model 1", 1)]
    made = pins.pin(database, "model", "org/Model 1", 2)
    assert pinned(database) == [("model", "org/Model 1", 2), ("tag", "été", 1)]
    assert pins.pins(database)[0] == made


def test_a_run_gets_the_tag_that_it_is_pinned_for(database: Engine) -> None:
    store(database, tags=["a"])
    for written in (" nightly  run ", "nightly run", "a"):
        pins.pin(database, "tag", written, 1)
    assert sorted(runs.load(database, 1).tags) == ["a", "nightly run"]
    assert pinned(database) == [("tag", "a", 1), ("tag", "nightly run", 1)]


def test_a_run_has_no_more_tags_by_a_pin_than_else(database: Engine) -> None:
    store(database, tags=[f"t{n}" for n in range(20)])
    with pytest.raises(InvalidPin, match="at most 20 tags"):
        pins.pin(database, "tag", "nightly", 1)
    assert pinned(database) == [] and len(runs.load(database, 1).tags) == 20


def test_a_pin_is_taken_away_once(database: Engine) -> None:
    store(database)
    pins.pin(database, "model", "tiny", 1)
    pins.unpin(database, "model", "tiny")
    assert pinned(database) == []
    with pytest.raises(NotPinned, match=r"No run is the baseline of model tiny\."):
        pins.unpin(database, "model", "tiny")


@pytest.mark.parametrize(
    ("run_id", "kind", "value", "words"),
    [
        (1, "model", "huge", "Run 1 has not the model 'huge'"),
        (1, "tag", "a,b", "The tag 'a,b' holds a comma"),
        (1, "tag", "x" * 51, "Shorten it to 50"),
        (1, "tag", "", "is empty"),
        (1, "colour", "tiny", "Run 1 has not the colour 'tiny'"),
        (2, "model", "tiny", "it is queued"),
        (3, "model", "tiny", "it is done, but without a request that succeeded"),
        (4, "model", "tiny", "it is interrupted"),
    ],
)
def test_only_a_run_that_is_done_is_pinned_and_only_for_what_it_has(
    database: Engine, run_id: int, kind: Kind, value: str, words: str
) -> None:
    store(database, tags=["a"])
    store(database, status="queued")
    with writing(database) as connection:  # the queue gives the oldest one: let it pass
        connection.execute(update(table).where(table.c.id == 2).values(status="cancelled"))
    store(database, [failed()])
    store(database, status="interrupted")
    with writing(database) as connection:
        connection.execute(update(table).where(table.c.id == 2).values(status="queued"))
    with pytest.raises(InvalidPin, match=words):
        pins.pin(database, kind, value, run_id)
    assert pinned(database) == []


def test_a_run_that_is_not_there_is_not_pinned(database: Engine) -> None:
    for run_id in (1, 10**12):
        with pytest.raises(RunNotFound):
            pins.pin(database, "model", "tiny", run_id)


def test_a_deleted_run_is_no_reference(database: Engine) -> None:
    store(database), store(database)
    pins.pin(database, "model", "tiny", 1)
    runs.delete(database, 2)
    assert pinned(database) == [("model", "tiny", 1)]
    runs.delete(database, 1)
    assert pinned(database) == []


def test_a_run_that_loses_a_tag_is_no_longer_its_reference(database: Engine) -> None:
    store(database, tags=["a", "b"])
    for kind, value in (("tag", "a"), ("tag", "b"), ("model", "tiny")):
        pins.pin(database, kind, value, 1)
    runs.edit(database, 1, "name", ["b", "c"], "")
    assert pinned(database) == [("model", "tiny", 1), ("tag", "b", 1)]


def test_a_run_of_an_older_paceline_is_worked_out_when_it_is_pinned(database: Engine) -> None:
    store(database)
    with writing(database) as connection:
        connection.execute(update(table).values(headline={"ok": 3, "kept": "as it was"}))
    pins.pin(database, "model", "tiny", 1)
    (row,) = runs.search(database)
    assert row.headline["by_repeat"]["e2e_s_median"] == [3.0]
    assert (row.headline["ok"], row.headline["kept"]) == (3, "as it was")
