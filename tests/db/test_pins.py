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


def pinned(engine: Engine) -> list[tuple[str, str, int]]:
    return [(pin.kind, pin.value, pin.run_id) for pin in pins.pins(engine)]


def test_a_run_is_pinned_in_place_of_the_one_before(engine: Engine) -> None:
    for _ in range(2):
        store(engine, model="org/Model 1", tags=["été", "b"])
    pins.pin(engine, "model", "org/Model 1", 1)
    pins.pin(engine, "tag", "été", 1)
    assert pinned(engine) == [("tag", "été", 1), ("model", "org/Model 1", 1)]
    made = pins.pin(engine, "model", "org/Model 1", 2)
    assert pinned(engine) == [("model", "org/Model 1", 2), ("tag", "été", 1)]
    assert pins.pins(engine)[0] == made


def test_a_run_gets_the_tag_that_it_is_pinned_for(engine: Engine) -> None:
    store(engine, tags=["a"])
    for written in (" nightly  run ", "nightly run", "a"):
        pins.pin(engine, "tag", written, 1)
    assert sorted(runs.load(engine, 1).tags) == ["a", "nightly run"]
    assert pinned(engine) == [("tag", "a", 1), ("tag", "nightly run", 1)]


def test_a_run_has_no_more_tags_by_a_pin_than_else(engine: Engine) -> None:
    store(engine, tags=[f"t{n}" for n in range(20)])
    with pytest.raises(InvalidPin, match="at most 20 tags"):
        pins.pin(engine, "tag", "nightly", 1)
    assert pinned(engine) == [] and len(runs.load(engine, 1).tags) == 20


def test_a_pin_is_taken_away_once(engine: Engine) -> None:
    store(engine)
    pins.pin(engine, "model", "tiny", 1)
    pins.unpin(engine, "model", "tiny")
    assert pinned(engine) == []
    with pytest.raises(NotPinned, match=r"No run is the reference of model tiny\."):
        pins.unpin(engine, "model", "tiny")


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
    engine: Engine, run_id: int, kind: Kind, value: str, words: str
) -> None:
    store(engine, tags=["a"])
    store(engine, status="queued")
    with writing(engine) as connection:  # the queue gives the oldest one: let it pass
        connection.execute(update(table).where(table.c.id == 2).values(status="cancelled"))
    store(engine, [failed()])
    store(engine, status="interrupted")
    with writing(engine) as connection:
        connection.execute(update(table).where(table.c.id == 2).values(status="queued"))
    with pytest.raises(InvalidPin, match=words):
        pins.pin(engine, kind, value, run_id)
    assert pinned(engine) == []


def test_a_run_that_is_not_there_is_not_pinned(engine: Engine) -> None:
    for run_id in (1, 10**12):
        with pytest.raises(RunNotFound):
            pins.pin(engine, "model", "tiny", run_id)


def test_a_deleted_run_is_no_reference(engine: Engine) -> None:
    store(engine), store(engine)
    pins.pin(engine, "model", "tiny", 1)
    runs.delete(engine, 2)
    assert pinned(engine) == [("model", "tiny", 1)]
    runs.delete(engine, 1)
    assert pinned(engine) == []


def test_a_run_that_loses_a_tag_is_no_longer_its_reference(engine: Engine) -> None:
    store(engine, tags=["a", "b"])
    for kind, value in (("tag", "a"), ("tag", "b"), ("model", "tiny")):
        pins.pin(engine, kind, value, 1)
    runs.edit(engine, 1, "name", ["b", "c"], "")
    assert pinned(engine) == [("model", "tiny", 1), ("tag", "b", 1)]


def test_a_run_of_an_older_paceline_is_worked_out_when_it_is_pinned(engine: Engine) -> None:
    store(engine)
    with writing(engine) as connection:
        connection.execute(update(table).values(headline={"ok": 3, "kept": "as it was"}))
    pins.pin(engine, "model", "tiny", 1)
    (row,) = runs.search(engine)
    assert row.headline["by_repeat"]["e2e_s_median"] == [3.0]
    assert (row.headline["ok"], row.headline["kept"]) == (3, "as it was")
