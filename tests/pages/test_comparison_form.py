"""A comparison from the form to the page that judges it, and further repeats afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, update
from streamlit.testing.v1 import AppTest

import jobs
from db import queue, runs, schema, servers
from services.analysis.comparison_design import DEFAULT_REPEATS, ComparisonDesign
from services.ask.config import parse
from services.ask.measurement import Run
from services.ask.saved_server import saved_server
from tests.conftest import ReferenceServer, finished, until
from tests.pages.conftest import Visit, link_of, sound, text_of
from tests.stored import store


def choose(at: AppTest, key: str, value: Any) -> AppTest:
    widgets = (at.segmented_control, at.multiselect, at.selectbox, at.text_input, at.number_input)
    found = next(each for kind in widgets for each in kind if each.key == f"run-{key}")
    found.set_value(value)
    return sound(at.run())


def add(at: AppTest) -> AppTest:
    """One more server beside those that are there."""
    return sound(at.button(key="run-add").click().run())


def start(at: AppTest) -> AppTest:
    return sound(next(button for button in at.button if button.label == "Start").click().run())


def stopped(database: Engine) -> list[Run]:
    """The stored runs, after those that are still measured were cancelled."""
    for row in runs.search(database):
        if row.status in ("queued", "running"):
            queue.request_cancel(database, row.id)
    until(lambda: not queue.active(database), 10)
    return runs.load_many(database, sorted(row.id for row in runs.search(database)))


@pytest.mark.long
def test_two_modes_are_compared_with_the_settings_of_the_form(
    database: Engine, visit: Visit
) -> None:
    at = choose(visit("run", requests="8", pause_s="0"), "versus", "modes")
    assert not [widget for widget in at.number_input if widget.key == "run-repeats"]
    at = choose(at, "versus-mode", ["batch"])
    at = choose(at, "batch-concurrency", 8)
    assert "2 candidates, 5 interleaved repeats each" in text_of(at)
    start(at)
    one, other = stopped(database)
    assert (one.config.mode, other.config.mode, other.config.concurrency) == (
        "sequential",
        "batch",
        8,
    )
    assert one.comparison_id == other.comparison_id is not None
    assert {run.config.repeats for run in (one, other)} == {5}
    assert other.name.endswith("concurrency 8")


@pytest.mark.parametrize(
    "parameters",
    [
        {"vs": "mode=batch&concurrency=4", "each": "7", "within": "2"},
        {"vs": "same"},
        {"vs": "concurrency=2;concurrency=4", "mode": "batch", "target": "1", "most": "9"},
        {"vs": "backend=vllm&base_url=http%3A%2F%2F127.0.0.1%3A9%2Fv1&model=m"},
    ],
)
def test_a_link_opens_the_comparison_that_it_was_made_from(
    visit: Visit, parameters: dict[str, str]
) -> None:
    at = visit("run", **parameters)
    assert "interleaved repeats each" in text_of(at)
    at = choose(at, "max_tokens", 64)  # any touch writes the link
    written = {name: text for name, text in link_of(at).items() if name != "model"}
    assert written == {**parameters, "max_tokens": "64"}


def test_an_invalid_value_of_a_link_is_reported_once(visit: Visit) -> None:
    words = text_of(visit("run", mode="batch", vs="concurrency=abc"))
    assert words.count("must be a whole number (got 'abc')") == 1
    assert "None" not in words


def test_a_mode_named_twice_in_a_link_is_selected_once(visit: Visit) -> None:
    at = visit("run", vs="mode=batch;mode=batch")
    assert at.multiselect(key="run-versus-mode").value == ["batch"]


def test_two_unreachable_backends_keep_the_defaults_of_the_form(
    visit: Visit,
) -> None:
    at = choose(add(visit("run")), "2-backend", "sglang")
    at = choose(at, "backend", "vllm")
    assert [button.label for button in at.button].count("Reload models") == 2
    at = choose(at, "backend", "embedded")
    each = at.number_input(key="run-comparison-each")
    assert (each.value, at.number_input(key="run-comparison-margin").value) == (5, 5.0)
    assert "2 candidates, 5 interleaved repeats each" in text_of(at)


def test_the_repeats_of_a_run_are_those_of_its_comparison(visit: Visit) -> None:
    at = visit("run", repeats="5")
    assert add(at).number_input(key="run-comparison-each").value == 5
    assert add(visit("run")).number_input(key="run-comparison-each").value == DEFAULT_REPEATS


@pytest.mark.long
@pytest.mark.parametrize("port", [1, None])
def test_two_servers_of_one_kind_are_compared(
    visit: Visit, reference: ReferenceServer, database: Engine, port: int | None
) -> None:
    other = f"http://127.0.0.1:{port}/v1" if port else reference.base_url  # the same: an A/A check
    at = add(visit("run", backend="url", base_url=reference.base_url))
    at = choose(at, "2-backend", "url")
    at = choose(at, "2-base_url-url", other)
    assert ("an A/A check" in text_of(at)) == (port is None)
    if port:
        assert "Server B does not answer. [Show the server](#server-b)" in text_of(at)
        assert at.subheader[1].proto.anchor == "server-b"
        assert link_of(at)["vs"] == "backend=url&base_url=http%3A%2F%2F127.0.0.1%3A1%2Fv1&model="
        assert next(button for button in at.button if button.label == "Start").disabled
        return
    start(at)
    one, two = stopped(database)
    assert one.config.base_url == two.config.base_url == reference.base_url
    assert one.comparison_id == two.comparison_id is not None


@pytest.mark.long
def test_a_server_is_added_and_removed(visit: Visit) -> None:
    at = choose(add(visit("run")), "2-backend", "ollama")
    at = add(at)
    assert at.selectbox(key="run-3-backend").value == "ollama"
    at = choose(at, "3-backend", "groq")
    assert "3 candidates, " in text_of(at)
    sound(at.button(key="run-2-remove").click().run())
    assert "2 candidates, " in text_of(at)
    assert link_of(at)["vs"].startswith("backend=groq")


@pytest.mark.long
def test_another_server_is_made_the_baseline(visit: Visit) -> None:
    at = choose(visit("run", backend="vllm"), "requests", 3)
    at = choose(add(at), "2-backend", "ollama")
    sound(at.button(key="run-2-first").click().run())
    link = link_of(at)
    assert link["backend"] == "ollama" and link["vs"].startswith("backend=vllm")
    assert (link["requests"], at.number_input(key="run-requests").value) == ("3", 3)
    again = visit("run", **link)
    assert again.selectbox(key="run-backend").value == "ollama"
    assert again.selectbox(key="run-2-backend").value == "vllm"


@pytest.mark.long
def test_a_saved_server_is_measured_with_all_its_settings(
    visit: Visit, reference: ReferenceServer, database: Engine
) -> None:
    lab = {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=3"}
    more = {"headers": {"X-Route": "a"}, "usd_per_hour": 3.5}
    servers.save(database, saved_server("lab", lab | more))
    servers.save(database, saved_server("bare", lab))
    at = choose(visit("run"), "backend", "lab")
    at = choose(add(at), "2-backend", "bare")
    at = choose(at, "requests", 1)
    link = link_of(at)
    start(at)
    one, other = stopped(database)
    assert (one.config.model, one.config.headers) == ("ref tokens=3", {"X-Route": "a"})
    assert (one.config.usd_per_hour, other.config.usd_per_hour) == (3.5, None)
    assert (other.config.base_url, other.config.headers) == (reference.base_url, {})
    again = visit("run", **link)
    assert [again.selectbox(key=f"run-{n}backend").value for n in ("", "2-")] == ["lab", "bare"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("comparison-each", 0, "measured 1 to 50 times"),
        ("comparison-margin", 0.01, "from 0.1 %"),
        ("requests", 2_000_000, "must be at most 1000000"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field_and_nothing_starts(
    visit: Visit, key: str, value: float, words: str
) -> None:
    at = choose(visit("run", vs="same"), key, value)
    at_field = [one.value for one in at.caption if one.value.startswith(":red[")]
    assert len(at_field) == 1 and words in at_field[0].replace("\\", "")
    assert len(at.error) == 1 and words in text_of(at)
    assert next(button for button in at.button if button.label == "Start").disabled


@pytest.mark.parametrize(
    "wrong",
    [
        {"within": "0.05"},
        {"within": "99.5"},
        {"within": "nan"},
        {"target": "0.01"},
        {"each": "9" * 5000},
        {"each": "0"},
        {"target": "1", "most": "51"},
    ],
)
def test_an_invalid_number_of_the_design_is_ignored_in_a_link(
    visit: Visit, wrong: dict[str, str]
) -> None:
    assert "2 candidates, 5 interleaved repeats each" in text_of(visit("run", vs="same", **wrong))


def test_a_link_to_something_missing_is_reported(visit: Visit) -> None:
    at = visit("run", vs="max_tokens=0;nonsense=1")
    words = text_of(at)
    assert "must be at least 1" in words
    assert "Nonsense is not a known field" in words


def test_candidates_are_made_of_the_values_of_a_setting(database: Engine, visit: Visit) -> None:
    at = choose(visit("run", mode="batch"), "versus", "settings")
    assert "Add at least one candidate" in text_of(at)
    at = choose(at, "versus-of-concurrency", "1, 2, 4")
    assert "4 candidates, " in text_of(at)
    at = choose(at, "versus-of-concurrency", "1, many")
    assert "must be a whole number" in text_of(at)


@pytest.mark.long
def test_the_live_page_shows_whose_turn_it_is(
    database: Engine, reference: ReferenceServer, visit: Visit
) -> None:
    shared = {"backend": "url", "base_url": reference.base_url, "mode": "batch", "requests": 1}
    slow = {**shared, "model": "ref ttft=0.05 gap=0.05 tokens=2000"}
    comparison = jobs.submit_comparison(database, [parse(slow), parse(slow)], ComparisonDesign())
    until(
        lambda: any(
            run.status == "running" for run in runs.load_many(database, comparison.run_ids)
        ),
        20,
    )
    at = visit("live", comparison=str(comparison.id))
    assert "2 runs" in text_of(at)
    bars = " ".join(str(bar.proto.text) for bar in at.get("progress"))
    assert "waiting" in bars
    next(button for button in at.button if button.label == "Cancel all").click().run()
    for run_id in comparison.run_ids:
        assert finished(database, run_id).status == "cancelled"
    bars = visit("live", trial=str(comparison.id)).get("progress")
    assert all("cancelled" in bar.proto.text for bar in bars)


@pytest.mark.parametrize("number", ["7", "x", "-1", "9" * 30])
def test_a_missing_comparison_is_reported(visit: Visit, number: str) -> None:
    at = visit("live", comparison=number)
    assert "comparison" in text_of(at)


@pytest.mark.long
def test_a_finished_run_can_be_repeated_from_its_page(
    database: Engine, reference: ReferenceServer, visit: Visit
) -> None:
    config = parse(
        {"backend": "url", "base_url": reference.base_url, "model": "ref tokens=2", "requests": 1}
    )
    run_id = jobs.submit(database, config)
    finished(database, run_id)
    at = visit("result", run=str(run_id))
    at.number_input(key="further").set_value(2)
    sound(at.button(key="run-more").click().run())
    assert len(finished(database, run_id).repeats) == 3


def offers_more(at: AppTest) -> bool:
    return "Start" in [button.label for button in at.button]


@pytest.mark.long
def test_more_repeats_are_offered_only_for_finished_runs_of_our_own(
    database: Engine, visit: Visit
) -> None:
    cancelled = store(database, status="cancelled")
    assert not offers_more(visit("result", run=str(cancelled)))
    imported = store(database)
    assert offers_more(visit("result", run=str(imported)))
    with database.begin() as connection:
        this = update(schema.runs).where(schema.runs.c.id == imported)
        connection.execute(this.values(source={"tool": "another"}))
    assert not offers_more(visit("result", run=str(imported)))


def test_back_from_a_result_that_opened_by_itself_shows_its_comparison(
    database: Engine, visit: Visit
) -> None:
    config = parse({"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"})
    comparison = jobs.submit_comparison(database, [config, config], ComparisonDesign())
    jobs.cancel_comparison(database, comparison.id)
    at = visit("live", runs=",".join(map(str, comparison.run_ids)))
    assert at.title[0].value == "Comparing 2 runs"
    assert "Nothing can be compared: 2 runs ended without a result." in text_of(at)
    assert "No run is selected." in text_of(visit("live", runs="x"))


def test_a_setting_can_be_varied_where_neither_concurrency_nor_requests_have_an_effect(
    visit: Visit,
) -> None:
    at = choose(visit("run", duration_s="5"), "versus", "settings")
    (setting,) = [each for each in at.selectbox if each.key == "run-versus-setting"]
    assert setting.value is not None
    assert not {"concurrency", "requests"} & set(setting.options)
