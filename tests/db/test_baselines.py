"""A run is the baseline of its model or of its tags, until it goes or loses them."""

import pytest
from sqlalchemy import Engine, update

from db import baselines, runs
from db.baselines import BaselineNotFound, InvalidBaseline
from db.database import writing
from db.runs import RunNotFound
from db.schema import runs as table
from services.analysis.compare.baseline import Kind
from tests.stored import store
from tests.values import failed


def stored(database: Engine) -> list[tuple[str, str, int]]:
    return [(each.kind, each.value, each.run_id) for each in baselines.list_all(database)]


def test_a_baseline_replaces_the_one_before(database: Engine) -> None:
    for _ in range(2):
        store(database, model="org/Model 1", tags=["été", "b"])
    baselines.save(database, "model", "org/Model 1", 1)
    baselines.save(database, "tag", "été", 1)
    assert stored(database) == [("tag", "été", 1), ("model", "org/Model 1", 1)]
    saved = baselines.save(database, "model", "org/Model 1", 2)
    assert stored(database) == [("model", "org/Model 1", 2), ("tag", "été", 1)]
    assert baselines.list_all(database)[0] == saved


def test_a_run_gets_the_tag_that_it_is_the_baseline_of(database: Engine) -> None:
    store(database, tags=["a"])
    for written in (" nightly  run ", "nightly run", "a"):
        baselines.save(database, "tag", written, 1)
    assert sorted(runs.load(database, 1).tags) == ["a", "nightly run"]
    assert stored(database) == [("tag", "a", 1), ("tag", "nightly run", 1)]


def test_a_baseline_cannot_exceed_the_maximum_number_of_tags(database: Engine) -> None:
    store(database, tags=[f"t{n}" for n in range(20)])
    with pytest.raises(InvalidBaseline, match="at most 20 tags"):
        baselines.save(database, "tag", "nightly", 1)
    assert stored(database) == [] and len(runs.load(database, 1).tags) == 20


def test_a_baseline_is_removed_once(database: Engine) -> None:
    store(database)
    baselines.save(database, "model", "tiny", 1)
    baselines.delete(database, "model", "tiny")
    assert stored(database) == []
    with pytest.raises(BaselineNotFound, match=r"No run is the baseline of model tiny\."):
        baselines.delete(database, "model", "tiny")


@pytest.mark.parametrize(
    ("run_id", "kind", "value", "message"),
    [
        (1, "model", "huge", "Run 1 does not have the model 'huge'"),
        (1, "tag", "a,b", "The tag 'a,b' contains a comma"),
        (1, "tag", "x" * 51, "Shorten it to 50"),
        (1, "tag", "", "is empty"),
        (1, "colour", "tiny", "Run 1 does not have the colour 'tiny'"),
        (2, "model", "tiny", "it is queued"),
        (3, "model", "tiny", "it is done, but no request succeeded"),
        (4, "model", "tiny", "it is interrupted"),
    ],
)
def test_only_a_finished_run_is_a_baseline_and_only_of_its_own_tags_and_model(
    database: Engine, run_id: int, kind: Kind, value: str, message: str
) -> None:
    store(database, tags=["a"])
    store(database, status="queued")
    with writing(database) as connection:  # the queue gives the oldest one: let it pass
        connection.execute(update(table).where(table.c.id == 2).values(status="cancelled"))
    store(database, [failed()])
    store(database, status="interrupted")
    with writing(database) as connection:
        connection.execute(update(table).where(table.c.id == 2).values(status="queued"))
    with pytest.raises(InvalidBaseline, match=message):
        baselines.save(database, kind, value, run_id)
    assert stored(database) == []


def test_an_unknown_run_cannot_be_a_baseline(database: Engine) -> None:
    for run_id in (1, 10**12):
        with pytest.raises(RunNotFound):
            baselines.save(database, "model", "tiny", run_id)


def test_a_deleted_run_is_no_longer_a_baseline(database: Engine) -> None:
    store(database), store(database)
    baselines.save(database, "model", "tiny", 1)
    runs.delete(database, 2)
    assert stored(database) == [("model", "tiny", 1)]
    runs.delete(database, 1)
    assert stored(database) == []


def test_a_run_that_loses_a_tag_is_no_longer_its_baseline(database: Engine) -> None:
    store(database, tags=["a", "b"])
    for kind, value in (("tag", "a"), ("tag", "b"), ("model", "tiny")):
        baselines.save(database, kind, value, 1)
    runs.edit(database, 1, "name", ["b", "c"], "")
    assert stored(database) == [("model", "tiny", 1), ("tag", "b", 1)]


def test_a_run_of_an_older_version_is_completed_when_it_becomes_a_baseline(
    database: Engine,
) -> None:
    store(database)
    with writing(database) as connection:
        connection.execute(update(table).values(headline={"ok": 3, "kept": "as it was"}))
    baselines.save(database, "model", "tiny", 1)
    (row,) = runs.search(database)
    assert row.headline["by_repeat"]["e2e_s_median"] == [3.0]
    assert (row.headline["ok"], row.headline["kept"]) == (3, "as it was")
