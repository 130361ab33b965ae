"""The selected runs of History, which its URL names."""

from __future__ import annotations

from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import filters, runs
from tests.pages.conftest import (
    Visit,
    complaints,
    link_of,
    listed_runs,
    opened_panel,
    sound,
    text_of,
)
from tests.stored import store


def store_three(database: Engine) -> None:
    for name in ("one", "two", "three"):
        store(database, name=name)


def names(at: AppTest) -> list[str]:
    return [row["Name"] for row in listed_runs(at)]


def test_selected_runs_stay_selected_while_searching(visit: Visit, database: Engine) -> None:
    store_three(database)
    at = visit("history")
    at.checkbox(key="tick-2").check()
    at = sound(at.run())
    at.text_input(key="history-text").set_value("three")
    at = sound(at.run())
    assert (names(at), link_of(at)) == (["three"], {"text": "three", "selected": "2"})
    at.checkbox(key="tick-3").check()
    at = sound(at.run())
    assert "**Baseline** 2 · two  \n**Compared with it** 3 · three" in text_of(at)
    assert link_of(at) == {"text": "three", "selected": "2,3"}
    runs.delete(database, 2)
    assert "**Selected** 3 · three" in text_of(sound(at.run()))


def test_a_link_to_the_history_selects_its_runs_in_its_order(
    visit: Visit, database: Engine
) -> None:
    store_three(database)
    at = visit("history", selected="3,1,3", text="two")
    assert "**Baseline** 3 · three  \n**Compared with it** 1 · one" in text_of(at)
    next(button for button in at.button if button.label == "Clear selection").click()
    assert link_of(sound(at.run())) == {"text": "two"}


def test_a_saved_filter_and_a_deletion_keep_the_url_in_step_with_the_selection(
    visit: Visit, database: Engine
) -> None:
    store_three(database)
    filters.save(database, "only two", {"text": "two"})
    at = visit("history", selected="1,3")
    [saved] = [link.proto for link in at.get("page_link") if link.proto.label == "only two"]
    assert saved.query_string == "text=two&selected=1%2C3"
    at = opened_panel(at, "selected-[1, 3]", "Delete")
    at.button(key="delete-for-good").click()
    assert (names(sound(at.run())), link_of(at), complaints(at)) == (["two"], {}, "")
