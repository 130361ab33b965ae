"""A result's timeline and its requests: which repeat, which part of it, and one request opened."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from db import request_columns, shares, span_exports
from pages.widgets import tabular
from pages.widgets.view import plain
from services.report.charts.picking import mark_of, pickable, stretch_of
from services.report.spans.progress import Delivered
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.pages.test_stored_pages import specs, values
from tests.stored import store
from tests.values import failed, measured

SECRET = "a secret prompt"


def two_repeats(database: Engine) -> None:
    rows = [measured(i, repeat=r, send=4.0 * i) for r in range(2) for i in range(3)]
    store(database, rows, requests=3, repeats=2)


def drawn(at: Any) -> tuple[int, int]:
    """The first and the last request of the timeline, by its axis."""
    low, high = specs(at)[0]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    return round(low + 0.6), round(high - 0.6)


def test_any_repeat_and_any_part_of_it_can_be_shown(visit: Visit, database: Engine) -> None:
    two_repeats(database)
    at = visit("result", run="1", tab="timeline")
    assert drawn(at) == (1, 3)
    at.selectbox(key="timeline-repeat").set_value(1)
    at = sound(at.run())
    assert (drawn(at), link_of(at)["repeat"]) == ((4, 6), "2")
    at.slider(key="timeline-window").set_value((4.4, 6.6))
    at = sound(at.run())
    assert drawn(at) == (5, 5), "the others were not in flight then"
    assert link_of(at)["window"] == "4.400000-6.600000"
    whole = next(button for button in at.button if button.label == "Whole repeat")
    assert drawn(sound(whole.click().run())) == (4, 6)
    assert "window" not in link_of(at)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"repeat": "3"}, "There is no repeat “3”."),
        ({"repeat": "x"}, "There is no repeat “x”."),
        ({"window": "x"}, "“x” is not a time range of this repeat"),
        ({"window": "9-2"}, "“9-2” is not a time range of this repeat"),
        ({"window": "90-99"}, "“90-99” is not a time range of this repeat"),
    ],
)
def test_an_invalid_repeat_or_window_is_reported(
    visit: Visit, database: Engine, parameters: dict[str, str], message: str
) -> None:
    two_repeats(database)
    at = visit("result", run="1", tab="timeline", **parameters)
    assert message in complaints(at)
    assert drawn(at) == (1, 3)


def test_a_request_is_opened_beside_the_page_and_its_neighbours_from_there(
    visit: Visit, database: Engine
) -> None:
    rows = [measured(0), failed(1, error="HTTP 500: *no*", http_status=500)]
    store(database, rows, workload="text", prompt=SECRET)
    at = visit("result", run="1")
    at.session_state["request-asked"] = 1
    at = sound(at.run())
    assert "It succeeded with 5 output tokens, as counted by the server." in text_of(at)
    assert [area.label for area in at.text_area][-2:] == ["Prompt", "Answer"]
    assert at.button(key="request-Previous").disabled
    at.session_state["request-asked"] = 2
    at = sound(at.run())
    assert "It failed: timeout (HTTP 500). HTTP 500: *no*" in complaints(at)
    assert at.button(key="request-Next").disabled


def test_a_request_opened_on_a_shared_page_has_no_prompt(visit: Visit, database: Engine) -> None:
    store(database, [measured(0, answer="an answer")], workload="text", prompt=SECRET)
    at = visit("result", run="1", view="share")
    at.session_state["request-asked"] = 1
    at = sound(at.run())
    assert "It succeeded" in text_of(at)
    assert SECRET not in str(at) and "an answer" not in str(at)


def test_a_click_selects_a_request_and_a_drag_a_stretch(visit: Visit, database: Engine) -> None:
    two_repeats(database)
    at = visit("result", run="1", tab="timeline")
    names = [param["name"] for param in specs(at)[0]["layer"][0]["params"]]
    assert names == ["mark", "stretch"]
    assert mark_of({"mark": [{"request": 3}]}, "request") == 3
    assert mark_of({"mark": [{"requests": "11–15"}]}, "requests") is None, "no number"
    assert mark_of({"mark": []}, "request") is mark_of({}, "request") is None
    assert stretch_of({"stretch": {"start": [2.5, 0.5]}}, "start") == (0.5, 2.5)
    assert stretch_of({"stretch": {}}, "start") is stretch_of({}, "start") is None


def test_making_a_chart_selectable_does_not_change_it() -> None:
    chart = {"layer": [{"mark": "rule"}, {"mark": "text"}]}
    assert "params" in pickable(chart, "request")["layer"][0]
    assert chart == {"layer": [{"mark": "rule"}, {"mark": "text"}]}


def test_a_result_keeps_its_five_numbers_on_every_tab(visit: Visit, database: Engine) -> None:
    two_repeats(database)
    first = values(visit("result", run="1"))
    assert len(first) == 5
    assert values(visit("result", run="1", tab="requests")) == first


def test_earlier_links_are_folded_below_the_newest(visit: Visit, database: Engine) -> None:
    two_repeats(database)
    for _ in range(3):
        shares.publish(database, [1])
    at = visit("result", run="1")
    assert "2 earlier links" in [expander.label for expander in at.expander]
    assert len([button for button in at.button if button.label == "Revoke"]) == 3


def test_requests_and_setup_use_the_labels_of_the_form(visit: Visit, database: Engine) -> None:
    two_repeats(database)
    at = visit("result", run="1", tab="requests")
    heads = json.loads(at.dataframe[0].proto.columns)
    assert heads["ttft_s"]["label"] == "TTFT (s)" and heads["http_status"]["label"] == "HTTP status"
    tables = visit("result", run="1", tab="setup").table
    names = [name.replace("\u00a0", " ") for table in tables for name in table.value.iloc[:, 0]]
    assert "Max tokens" in names and "max_tokens" not in names


def test_the_requests_of_a_large_run_are_shown_a_page_at_a_time(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_columns, "LARGE", 5)
    monkeypatch.setattr(request_columns, "SAMPLED", 4)
    monkeypatch.setattr(tabular, "PAGE", 4)
    store(database, [measured(i, send=float(i)) for i in range(9)])
    at = visit("result", run="1", tab="requests")
    assert list(at.dataframe[0].value["request"]) == [1, 2, 3, 4]
    assert "Page 1 of 3: 1 to 4 of 9 requests" in text_of(at)
    at.number_input(key="requests-page").set_value(3)
    at = sound(at.run())
    assert list(at.dataframe[0].value["request"]) == [9]
    for tab in ("charts", "timeline", "numbers", "setup"):
        sound(visit("result", run="1", tab=tab))


def test_the_progress_of_sending_spans_is_shown(visit: Visit, database: Engine) -> None:
    run_id = store(database)
    assert "as spans" not in text_of(visit("result", run="1", tab="setup"))
    delivered = Delivered("phoenix.example:6006", 3)
    span_exports.finish(database, run_id, "here", delivered, "sent")
    sent = "3 requests sent as spans to phoenix.example:6006."
    assert sent in text_of(visit("result", run="1", tab="setup"))
    span_exports.finish(database, run_id, "here", delivered, "failed", "It is away.")
    (warning,) = visit("result", run="1").warning
    assert warning.value == plain("Not sent as spans: It is away.")
    assert "as spans" not in text_of(visit("result", run="1", view="share", tab="setup"))


@pytest.mark.parametrize(
    ("health", "badge"),
    [({}, "client health unknown"), ({"loop_lag_p99_s": 0.0001}, "client healthy")],
)
def test_a_client_is_called_healthy_only_if_that_is_known(
    visit: Visit, database: Engine, health: dict[str, float], badge: str
) -> None:
    store(database, health=health)
    assert badge in text_of(visit("result", run="1"))
