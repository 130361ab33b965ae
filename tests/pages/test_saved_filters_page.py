"""A filter of History is saved under a name, picked, and deleted."""

from __future__ import annotations

from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import filters
from pages.widgets import filter_words
from tests.pages.conftest import Visit, complaints, sound, text_of
from tests.stored import store


def test_the_current_filter_is_saved_picked_and_deleted(visit: Visit, database: Engine) -> None:
    store(database, tags=["nightly"])
    at = visit("history", tag="nightly")
    assert "Saves Tag “nightly”." in text_of(at)
    at.text_input[-1].set_value("*Mine*")
    next(button for button in at.button if button.label == "Save").click()
    at = sound(at.run())
    [saved] = filters.list_all(database)
    assert (saved.name, saved.parameters) == ("*Mine*", {"tag": "nightly"})
    [link] = [link.proto for link in at.get("page_link") if "Mine" in link.proto.label]
    assert (link.label, link.query_string) == (r"\*Mine\*", "tag=nightly")
    at.button(key="delete-filter-0").click()
    sound(at.run())
    assert filters.list_all(database) == []


def test_a_name_that_is_taken_is_replaced_only_after_a_question(
    visit: Visit, database: Engine
) -> None:
    store(database, tags=["nightly"])
    for name in ("mine", "yours"):
        filters.save(database, name, {"text": name})
    at = visit("history", tag="nightly")
    press(named(at, "mine"), "Save")
    question = "There is already a saved filter “{}”. Choose another name, or replace it."
    assert question.format("mine") in complaints(at)
    press(named(at, "yours"), "Replace")  # which is not what was asked
    assert question.format("yours") in complaints(at)
    assert [each.parameters for each in filters.list_all(database)] == [
        {"text": "mine"},
        {"text": "yours"},
    ]
    press(at, "Replace")
    assert complaints(at) == "" and not [b for b in at.button if b.label == "Replace"]
    assert filters.list_all(database)[1].parameters == {"tag": "nightly"}


def named(at: AppTest, name: str) -> AppTest:
    at.text_input[-1].set_value(name)
    return at


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click()
    sound(at.run())


def test_a_saved_server_is_described_as_in_the_form() -> None:
    filters_ = {"text": "a", "backend": "embedded", "mode": "batch", "trend": "e2e_s_median"}
    words = "Search “a”, Backend “Embedded llama.cpp”, Mode “Large batch”"
    assert filter_words.sentence(filters_) == f"{words}, Trend of “E2E latency, median”"


def test_an_empty_filter_cannot_be_saved(visit: Visit, database: Engine) -> None:
    store(database)
    at = visit("history")
    at.text_input[-1].set_value("all")
    next(button for button in at.button if button.label == "Save").click()
    assert "There is no filter to save" in complaints(sound(at.run()))
