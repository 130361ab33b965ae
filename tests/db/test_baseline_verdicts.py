"""What is stored of runs is enough to compare them with their baselines, and for a trend."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event, update

from db import baseline_verdicts, baselines, runs, search
from db.database import writing
from db.schema import runs as table
from tests.stored import store
from tests.values import measured

FIRST = datetime(2026, 10, 1, 3, tzinfo=UTC)


def night(database: Engine, seconds: float, **of_run: Any) -> int:
    """A run of three repeats, each a day after the one before."""
    times = enumerate((1.0, 1.01, 0.99))
    answers = [measured(repeat=r, ttft=0.1, e2e=seconds * f) for r, f in times]
    run_id = store(database, answers, repeats=3, **of_run)
    with writing(database) as connection:
        began = update(table).where(table.c.id == run_id)
        connection.execute(began.values(started_at=FIRST + timedelta(days=run_id)))
    return run_id


def test_later_runs_are_compared_with_their_baseline(database: Engine) -> None:
    for seconds in (3.0, 2.0, 1.0):
        night(database, seconds, tags=["a"])
    night(database, 1.0, model="other")
    baselines.save(database, "model", "tiny", 2)
    verdicts = baseline_verdicts.of_runs(database, runs.search(database))
    assert {i: (s.baseline_id, s.word) for i, s in verdicts.items()} == {
        2: (2, "baseline"),
        3: (2, "faster"),
    }
    baselines.save(database, "tag", "a", 1)
    verdicts = baseline_verdicts.of_runs(database, runs.search(database))
    assert {i: s.baseline_id for i, s in verdicts.items()} == {1: 1, 2: 2, 3: 1}
    narrowed = baseline_verdicts.of_runs(
        database, runs.search(database, model="tiny"), model="tiny"
    )
    assert narrowed[3].baseline_id == 2


def test_a_baseline_on_another_page_of_the_list_is_found(database: Engine) -> None:
    night(database, 1.0), night(database, 2.0)
    baselines.save(database, "model", "tiny", 1)
    verdicts = baseline_verdicts.of_runs(database, runs.search(database, limit=1))
    assert {i: s.word for i, s in verdicts.items()} == {2: "slower"}


def test_a_trend_has_the_newest_finished_runs_that_match_its_filters(database: Engine) -> None:
    for seconds in (1.0, 2.0, 3.0):
        night(database, seconds, name=f"night {seconds}", tags=["a"] * (seconds > 1))
    store(database, status="failed", tags=["a"])
    baselines.save(database, "model", "tiny", 1)
    trend = baseline_verdicts.trend(database, "e2e_s_median", "night", tag="a")
    assert [(p.run_id, p.word, p.began.day) for p in trend.points] == [
        (2, "slower", 3),
        (3, "slower", 4),
    ]
    assert trend.baseline is not None and trend.baseline.run_id == 1
    assert len(search.trend(database, limit=2)) == 2


def test_a_trend_reads_few_columns_in_three_queries(database: Engine) -> None:
    night(database, 1.0, note="long " * 1000)
    (row,) = search.trend(database)
    assert set(row.headline) == {*search.KEPT} - {"via"}
    assert (row.note, row.error, row.began) == ("", None, FIRST + timedelta(days=1))
    statements: list[str] = []
    event.listen(database, "before_cursor_execute", lambda *given: statements.append(given[2]))
    baseline_verdicts.trend(database, "e2e_s_median")
    assert (
        len([text for text in statements if text.startswith("SELECT")]) == 3
    )  # runs, tags, baselines
