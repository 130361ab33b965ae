"""A run becomes a baseline, and the history says how later runs compare with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from streamlit.testing.v1 import AppTest

from db import baselines
from db.database import writing
from db.schema import runs as table
from tests.pages.conftest import (
    Visit,
    complaints,
    link_of,
    listed_runs,
    opened_panel,
    sound,
    text_of,
)
from tests.pages.test_stored_pages import headings, specs
from tests.stored import store
from tests.values import NOON, measured


@pytest.fixture
def nights(database: Engine) -> Engine:
    """Four runs: as fast, half as fast, of other work, and of another model."""
    for run_id, (seconds, fields) in enumerate(NIGHTS, 1):
        answers = [
            measured(repeat=r, ttft=0.1, e2e=seconds * f) for r, f in enumerate((1.0, 1.01, 0.99))
        ]
        store(database, answers, repeats=3, name=f"night {run_id}", **fields)
        with writing(database) as connection:
            began = NOON + timedelta(days=run_id)
            statement = update(table).where(table.c.id == run_id)
            connection.execute(statement.values(started_at=began))
    return database


NIGHTS: tuple[tuple[float, dict[str, Any]], ...] = (
    (1.0, {"tags": ["nightly"]}),
    (2.0, {"tags": ["nightly"]}),
    (2.0, {"max_tokens": 7}),
    (2.0, {"model": "*other*"}),
)


def baseline_panel(visit: Visit, run_id: int) -> AppTest:
    return opened_panel(visit("result", run=str(run_id)), f"run-{run_id}", "Baseline")


def press(at: AppTest, label: str) -> AppTest:
    return sound(next(button for button in at.button if button.label == label).click().run())


def column(at: AppTest) -> list[str | None]:
    """How the runs stand, where they do."""
    return [row.get("vs baseline") for row in listed_runs(at)]


@pytest.mark.long
def test_a_baseline_is_set_and_removed_on_the_result_page(visit: Visit, nights: Engine) -> None:
    at = press(baseline_panel(visit, 1), "Set as baseline")
    assert [(each.kind, each.value) for each in baselines.list_all(nights)] == [("model", "tiny")]
    assert "baseline for model tiny" in text_of(at)
    at.selectbox(key="baseline-of-1").set_value(("tag", "nightly"))
    at = press(sound(at.run()), "Set as baseline")
    assert {each.kind for each in baselines.list_all(nights)} == {"model", "tag"}
    at = press(at, "Remove baseline")
    assert [each.kind for each in baselines.list_all(nights)] == ["model"]
    assert "baseline for tag" not in text_of(at)


def test_setting_a_baseline_shows_which_run_is_replaced(visit: Visit, nights: Engine) -> None:
    baselines.save(nights, "model", "tiny", 1)
    at = baseline_panel(visit, 2)
    assert "The current baseline is run 1; this run will replace it." in text_of(at)
    press(at, "Set as baseline")
    assert [each.run_id for each in baselines.list_all(nights)] == [2]


def test_an_invalid_baseline_is_reported_on_the_page(visit: Visit, database: Engine) -> None:
    store(database)
    at = baseline_panel(visit, 1)
    with writing(database) as connection:
        connection.execute(update(table).values(headline={"ok": 0}))
    assert "Run 1 cannot be a baseline: it is done, but no request" in complaints(
        press(at, "Set as baseline")
    )


def test_a_run_that_failed_cannot_be_a_baseline(visit: Visit, database: Engine) -> None:
    store(database, status="failed")
    assert not any("Baseline" in each for each in visit("result", run="1").menu_button[0].options)


def test_a_shared_result_shows_what_it_is_the_baseline_of(visit: Visit, nights: Engine) -> None:
    baselines.save(nights, "model", "*other*", 4)
    at = visit("result", run="4", view="share")
    assert "baseline for model *other*" in text_of(at)
    assert not at.button


def test_the_history_shows_how_each_later_run_compares(visit: Visit, nights: Engine) -> None:
    assert column(visit("history")) == [None] * 4
    baselines.save(nights, "model", "tiny", 1)
    slower = "slower, 50\N{NO-BREAK SPACE}% lower output throughput"
    assert column(visit("history")) == [None, "different work", slower, "baseline"]


def test_the_chosen_trend_is_in_the_url(visit: Visit, nights: Engine) -> None:
    baselines.save(nights, "model", "tiny", 1)
    at = visit("history")
    assert not specs(at)
    at.segmented_control(key="history-trend").set_value("e2e_s_median")
    at.selectbox(key="history-model").set_value("tiny")
    sound(at.run())
    assert link_of(at) == {"model": "tiny", "trend": "e2e_s_median"}
    assert "Is it getting faster?" in headings(at)
    assert "The only run since the baseline (run 1) is slower: run 2." in text_of(at)
    assert len(specs(at)) == 1
    again = visit("history", model="tiny", trend="e2e_s_median")
    assert len(specs(again)) == 1
    assert "One run did different work and is not shown." in text_of(again)


def test_an_unknown_trend_is_reported(visit: Visit, nights: Engine) -> None:
    at = visit("history", trend="*beauty*")
    assert "Unknown trend “*beauty*”; choose one below." in complaints(at)
    assert not specs(at)


def test_a_trend_without_a_baseline_says_how_to_set_one(visit: Visit, nights: Engine) -> None:
    at = visit("history", trend="ttft_s_median")
    assert "whether it is getting faster, set a baseline" in text_of(at)
    assert len(specs(at)) == 1
