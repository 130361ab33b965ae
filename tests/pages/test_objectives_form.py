"""Objectives and price: asked for with a run, and changed afterwards by the link."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.pages.conftest import (
    Visit,
    complaints,
    controls,
    link_of,
    opened_panel,
    sound,
    text_of,
)
from tests.stored import store
from tests.values import measured, repeats

OBJECTIVES = "Objectives and price"
INTERACTIVE = "Llama 2 70B, interactive"


def test_a_result_is_judged_by_the_objectives_of_its_run(visit: Visit, database: Engine) -> None:
    store(database, [measured(i) for i in range(4)], ttft_limit_s=1.0, usd_per_hour=3.6)
    shown = text_of(visit("result", run="1"))
    assert "100 % of the requests met TTFT ≤ 1.00 s (95 % interval 51.0–100 %): goodput" in shown
    assert "Cost: at $3.60 an hour, as entered." in shown


def test_a_link_replaces_the_objectives_of_a_run(visit: Visit, database: Engine) -> None:
    store(database, [measured(i) for i in range(4)], ttft_limit_s=1.0, usd_per_hour=3.6)
    shown = text_of(visit("result", run="1", ttft="", e2e="2.5", usd_per_hour="7.2", view="share"))
    assert "0 % of the requests met E2E latency ≤ 2.50 s" in shown and "TTFT ≤" not in shown
    assert "Cost: at $7.20 an hour, as entered." in shown


@pytest.mark.parametrize("page", ["result", "compare"])
def test_changes_go_into_the_link(visit: Visit, database: Engine, page: str) -> None:
    store(database, repeats()), store(database, repeats())
    choice = {"run": "1"} if page == "result" else {"runs": "1,2", "tab": "Numbers"}
    at = opened_panel(visit(page, **choice), "run-1" if page == "result" else page, OBJECTIVES)
    at.number_input(key="judge-tpot").set_value(0.25)
    sound(at.run())
    assert link_of(at) == {**choice, "tpot": "0.25"}
    assert "TPOT ≤ 250 ms" in text_of(at)
    at.number_input(key="judge-tpot").set_value(None)
    sound(at.run())
    assert link_of(at) == {**choice, "tpot": ""} and "TPOT ≤" not in text_of(at)


def test_a_preset_fills_the_limits(visit: Visit, database: Engine) -> None:
    store(database)
    at = opened_panel(visit("result", run="1"), "run-1", OBJECTIVES)
    at.selectbox(key="judge-preset").set_value(INTERACTIVE)
    sound(at.run())
    assert link_of(at) == {"run": "1", "ttft": "0.45", "tpot": "0.04", "e2e": ""}
    assert "TTFT ≤ 450 ms and TPOT ≤ 40.0 ms" in text_of(at)
    assert at.selectbox(key="judge-preset").value == INTERACTIVE


def test_a_preset_fills_the_form_and_its_link(visit: Visit) -> None:
    at = visit("run")
    at.selectbox(key="run-preset").set_value(INTERACTIVE)
    sound(at.run())
    assert at.number_input(key="run-ttft_limit_s").value == 0.45
    link = link_of(at)
    assert (link["ttft_limit_s"], link["tpot_limit_s"]) == ("0.45", "0.04")


def test_an_invalid_link_is_reported_and_the_rest_applies(visit: Visit, database: Engine) -> None:
    store(database)
    at = visit("result", run="1", ttft="-1", e2e="5")
    assert (
        "ttft must be more than 0 (got '-1'). What is wrong is ignored; the rest of the link "
        "applies." in complaints(at)
    )
    assert "met E2E latency ≤ 5.00 s" in text_of(at)


def test_different_objectives_are_reported_until_a_link_sets_the_same(
    visit: Visit, database: Engine
) -> None:
    store(database, ttft_limit_s=1.0), store(database, ttft_limit_s=2.0)
    at = visit("compare", runs="1,2")
    assert "Different objectives" in complaints(at)
    at = opened_panel(at, "compare", OBJECTIVES)
    assert at.number_input(key="judge-ttft").placeholder == "differs between runs"
    same = visit("compare", runs="1,2", ttft="1.5")
    assert "Different objectives" not in complaints(same)


def test_a_shared_page_is_judged_without_controls(visit: Visit, database: Engine) -> None:
    store(database, ttft_limit_s=1.0), store(database)
    shown = visit("compare", runs="1,2", ttft="1", view="share")
    assert not {"number_input", "selectbox", "popover"} & set(controls(shown))
