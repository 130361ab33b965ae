"""The form: what it starts with, what it refuses, and that it starts what it shows."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any
from urllib.parse import urlencode

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from db import queue, runs
from jobs.supervisor_lock import supervisor_file
from pages.widgets.run_form import DURATION, REQUESTS
from services.ask.backends import BACKENDS
from services.ask.modes import MODES
from services.ask.workloads import WORKLOADS
from tests.conftest import ReferenceServer, finished, until
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.picky import Picky, serving
from tests.stored import store

MAX_TIMES = 5.5  # as long as `plain_python`: 100 ms where that takes 18


def fill(at: AppTest, **values: float | None) -> AppTest:
    for field, value in values.items():
        at.number_input(key=f"run-{field}").set_value(value)
    return sound(at.run())


def choose(at: AppTest, field: str, name: str) -> AppTest:
    at.segmented_control(key=f"run-{field}").set_value(name)
    return sound(at.run())


def start(at: AppTest) -> AppTest:
    button = next(button for button in at.button if button.label == "Start")
    assert not button.disabled
    return sound(button.click().run())


@pytest.fixture
def queued(database: Engine) -> Iterator[Callable[[], int]]:
    """How many runs are stored; what is still running at the end is cancelled."""
    yield lambda: runs.count(database)
    for row in runs.search(database):
        if row.status in ("queued", "running"):
            queue.request_cancel(database, row.id)
    until(lambda: not queue.active(database), 10)


@pytest.mark.parametrize("mode", list(MODES))
def test_a_mode_shows_its_own_parameters_only(visit: Visit, mode: str) -> None:
    at = choose(visit("run"), "mode", mode)
    shown = {widget.key for widget in (*at.number_input, *at.toggle)}
    shown |= {"run-trace"} if [box for box in at.selectbox if box.label == "Trace"] else set()
    of_modes = {parameter for spec in MODES.values() for parameter in spec.parameters}
    own = {f"run-{parameter}" for parameter in MODES[mode].parameters}
    assert shown & {f"run-{parameter}" for parameter in of_modes} == own


def test_a_run_ends_after_its_requests_or_after_a_time(visit: Visit) -> None:
    at = choose(visit("run"), "mode", "poisson")
    at = choose(at, "ends", DURATION)
    keys = {widget.key for widget in at.number_input}
    assert "run-duration_s" in keys and "run-requests" not in keys
    assert link_of(at)["duration_s"] == "60"
    assert "Sends requests for 60 s (about 60)" in text_of(at)
    at = choose(at, "ends", REQUESTS)
    assert "duration_s" not in link_of(at)
    assert "Sends 5 requests" in text_of(at)


def test_a_link_to_a_run_by_time_shows_its_time(visit: Visit) -> None:
    at = visit("run", mode="users", users="3", duration_s="30")
    assert at.number_input(key="run-duration_s").value == 30
    assert "Sends requests for 30 s" in text_of(at)


@pytest.mark.parametrize("workload", list(WORKLOADS))
def test_a_workload_shows_its_own_parameters_only(visit: Visit, workload: str) -> None:
    at = choose(visit("run"), "workload", workload)
    shown = {widget.key for widget in at.number_input}
    numbers = {"input_tokens", "long_input_tokens", "long_every", "long_max_tokens"}
    own = numbers & set(WORKLOADS[workload].parameters)
    assert {name for name in numbers if f"run-{name}" in shown} == own


def test_a_mix_is_planned_and_an_invalid_mix_is_reported(visit: Visit) -> None:
    at = choose(visit("run"), "workload", "mixed")
    assert "Sends 5 requests plus 2 warm-up requests" in text_of(at)
    at = fill(at, input_tokens=100, long_input_tokens=300, long_every=5)
    assert "1,100 prompt tokens" in text_of(at)  # 4 + 1 of 100, 1 + 1 of 300
    assert link_of(at)["long_every"] == "5"
    assert complaints(fill(at, long_every=6))
    assert complaints(fill(at, long_every=2, long_input_tokens=50))


@pytest.mark.parametrize("name", list(BACKENDS))
def test_each_backend_can_be_chosen_where_nothing_answers(visit: Visit, name: str) -> None:
    at = visit("run")
    at.selectbox(key="run-backend").set_value(name)
    sound(at.run())
    assert bool(complaints(at)) == (name != "embedded")
    assert link_of(at).get("backend", "embedded") == name


def test_a_link_from_backends_chooses_the_backend(visit: Visit) -> None:
    at = visit("run", backend="vllm")
    assert at.selectbox(key="run-backend").value == "vllm"


def test_the_form_of_an_earlier_run_is_its_config(visit: Visit, database: Engine) -> None:
    store(
        database,
        mode="staggered",
        requests=12,
        interval_s=0.25,
        max_tokens=7,
        workload="text",
        prompt="my own words",
        seed=3,
        repeats=2,
    )
    at = visit("run", like="1", max_tokens="9")
    numbers = {
        key: at.number_input(key=f"run-{key}").value
        for key in ("requests", "interval_s", "seed", "repeats", "max_tokens")
    }
    assert numbers == {
        "requests": 12,
        "interval_s": 0.25,
        "seed": 3,
        "repeats": 2,
        "max_tokens": 9,
    }
    assert at.text_area(key="run-prompt").value == "my own words"
    fill(at, requests=13)
    assert link_of(at) == {"like": "1", "requests": "13", "max_tokens": "9"}


def test_the_url_follows_the_form_without_the_prompt(visit: Visit) -> None:
    at = choose(choose(visit("run"), "mode", "batch"), "workload", "text")
    at.text_area(key="run-prompt").set_value("my own secret")
    fill(at, requests=40, concurrency=8)
    assert link_of(at) == {
        "model": "smollm2-135m-instruct",
        "mode": "batch",
        "requests": "40",
        "concurrency": "8",
        "workload": "text",
    }
    assert "Sends 40 requests plus 1 warm-up request, at most 8 in flight" in text_of(at)


LIMITS = [
    ("requests", 0),
    ("requests", 1_000_001),
    ("pause_s", -1.0),
    ("repeats", 51),
    ("max_tokens", 0),
    ("temperature", 2.5),
    ("top_p", 0.0),
    ("seed", -1),
    ("warmup", 101),
    ("timeout_s", 0.0),
    ("stop_after_s", 0.0),
    ("stop_after_errors", 0),
]


@pytest.mark.parametrize(("field", "value"), LIMITS)
def test_a_number_out_of_range_is_refused_or_not_accepted(
    visit: Visit, database: Engine, field: str, value: float
) -> None:
    at = fill(visit("run"), **{field: value})
    taken = at.number_input(key=f"run-{field}").value
    assert at.error or taken != value
    assert runs.count(database) == 0


def test_an_empty_prompt_is_asked_for_and_disables_start(visit: Visit) -> None:
    at = choose(visit("run"), "workload", "text")
    assert "Prompt is empty. Write the prompt" in text_of(at)
    assert not complaints(at), "nothing is wrong before a word is typed"
    at.text_area(key="run-prompt").set_value(" \n ")
    assert "Prompt is empty" in text_of(sound(at.run()))
    assert next(button for button in at.button if button.label == "Start").disabled


FILES = [
    ("a.jsonl", b"", "contains no prompts"),
    ("a.csv", b"", "contains no prompts"),
    ("a.jsonl", b'{"prompt": "x"}\n{"prompt": ', "line 2"),
    ("a.jsonl", b'{"answer": "x"}', "line 1"),
    ("a.jsonl", b'{"prompt": 5}', "line 1"),
    ("a.jsonl", b'{"prompt": ""}', "line 1"),
    ("a.jsonl", b'"x"\n\xff\xfe', "line 2"),
    ("a.jsonl", b"\x00\x00", "line 1"),
    ("a.csv", b"a,b\n1,2\n", "prompt"),
    ("a.csv", b'prompt\n"never closed\n', "quote"),
    ("a.jsonl", b"[" * 100_000, "line 1"),
]


@pytest.mark.parametrize(("name", "data", "message"), FILES)
def test_a_broken_prompt_file_is_refused_with_its_line(
    visit: Visit, name: str, data: bytes, message: str
) -> None:
    at = choose(visit("run"), "workload", "file")
    assert "Prompts are missing. Give a JSONL or CSV file" in text_of(at) and not complaints(at)
    at.file_uploader[0].upload(name, data, "text/plain")
    sound(at.run())
    assert message in complaints(at)
    assert next(button for button in at.button if button.label == "Start").disabled


def test_a_prompt_file_is_read(visit: Visit) -> None:
    at = choose(visit("run"), "workload", "file")
    at.file_uploader[0].upload("a.csv", b"prompt\nhello\nthere\n", "text/csv")
    assert "2 prompts, used in rotation." in text_of(sound(at.run()))
    assert not at.error


ADDRESSES = [
    "nonsense",
    "ftp://host/v1",
    "http://",
    "http://me:pw@host/v1",
    "http://host:99999",
    "http://host/v1?key=x",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("written", ADDRESSES)
def test_an_invalid_address_is_reported_once(visit: Visit, written: str) -> None:
    at = visit("run", backend="url")
    at.text_input(key="run-base_url-url").set_value(written)
    sound(at.run())
    assert complaints(at).count("Address") == 1
    assert next(button for button in at.button if button.label == "Start").disabled


def test_a_model_must_be_typed_if_none_is_listed(visit: Visit, queued: Callable[[], int]) -> None:
    with serving(Picky(models={})) as server:
        at = visit("run", backend="url", base_url=f"{server.url}/v1")
        assert "has no list of models" in complaints(at)
        assert "No model is selected" in complaints(at) and start_button(at).disabled
    assert queued() == 0


def test_a_model_that_no_server_lists_stays_for_another_address(
    visit: Visit, reference: ReferenceServer
) -> None:
    at = visit("run", backend="vllm", model="mine")
    at.text_input(key="run-base_url-vllm").set_value("http://127.0.0.1:9/v1")
    at = sound(at.run())
    assert link_of(at) == {
        "backend": "vllm",
        "base_url": "http://127.0.0.1:9/v1",
        "model": "mine",
    }
    at.text_input(key="run-base_url-vllm").set_value(reference.base_url)
    assert link_of(sound(at.run()))["model"] == "ref", "which it lists"


# --- a server that refuses connections ---------------------------------------------------------


def start_button(at: AppTest) -> Button:
    return next(button for button in at.button if button.label.startswith("Start"))


def test_nothing_starts_until_a_server_listens(visit: Visit, database: Engine) -> None:
    with serving(Picky()) as gone:
        port = int(gone.url.rpartition(":")[2])
    fields = {"backend": "url", "base_url": f"{gone.url}/v1", "model": "m"}
    at = visit("run", **fields, requests="1", warmup="0")
    address = gone.url.partition("://")[2]
    assert complaints(at).count(f"Nothing answers at {address}.") == 1, "said once, by the form"
    assert "The server does not answer. [Show the server](#server-a)" in complaints(at)
    assert start_button(at).disabled
    with serving(Picky(), port=port):
        at = sound(at.button(key="run-again").click().run())
        assert not complaints(at)
        sound(start_button(at).click().run())
        assert finished(database, 1).status == "done"


@pytest.mark.parametrize("models", [{}, {"/v1/models": {"object": "list", "data": []}}])
def test_a_server_that_answers_can_be_measured_whatever_it_lists(
    visit: Visit, models: dict[str, Any]
) -> None:
    with serving(Picky(models=models)) as server:
        at = visit("run", backend="url", base_url=f"{server.url}/v1", model="m")
        assert "Nothing answers" not in complaints(at) and not start_button(at).disabled
        sound(at.run())
        assert len(server.listed) == 1, "asked once, for as long as the answer is kept"


@pytest.mark.parametrize("at_fault", ["reference", "candidate"])
def test_a_comparison_waits_for_every_one_of_its_servers(visit: Visit, at_fault: str) -> None:
    with serving(Picky()) as gone:
        pass
    with serving(Picky()) as there:
        reference_server, other_server = (gone, there) if at_fault == "reference" else (there, gone)
        vs = urlencode({"backend": "vllm", "base_url": f"{other_server.url}/v1", "model": "m"})
        at = visit("run", backend="url", base_url=f"{reference_server.url}/v1", model="m", vs=vs)
        letter = "A" if at_fault == "reference" else "B"
        assert complaints(at).count("does not answer") == 1
        assert f"Server {letter} does not answer." in complaints(at)
        assert start_button(at).disabled


def test_a_study_waits_for_its_server(visit: Visit) -> None:
    with serving(Picky()) as gone:
        fields = {"backend": "url", "base_url": f"{gone.url}/v1", "model": "m"}
        assert not start_button(visit("study", preset="concurrency", **fields)).disabled
    st.cache_data.clear()  # in which it still answers, for ten seconds
    at = visit("study", preset="concurrency", **fields)
    assert "The server does not answer." in complaints(at) and start_button(at).disabled


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"backend": "groq", "model": "x"}, "Groq needs a key: put GROQ_API_KEY="),
        ({"backend": "url", "model": "x"}, "Enter the server's address"),
        ({"backend": "litellm", "model": "x"}, "LiteLLM needs a model prefixed with its provider"),
        ({"backend": "embedded", "model": "x"}, "only serves smollm2-135m-instruct"),
    ],
)
def test_missing_server_settings_are_reported_before_the_start(
    visit: Visit, parameters: dict[str, str], message: str
) -> None:
    at = visit("run", **parameters)
    said = complaints(at)
    assert message in said and "[Show the server](#server-a)" in said and start_button(at).disabled


def test_invalid_tags_are_reported(visit: Visit, queued: Callable[[], int]) -> None:
    at = visit("run")
    at.text_input(key="about-tags").set_value(",".join(f"tag {i}" for i in range(21)))
    assert "at most 20 tags" in complaints(start(sound(at.run())))
    assert queued() == 0


def test_a_queue_that_cannot_be_processed_is_reported(
    visit: Visit, database: Engine, queued: Callable[[], int]
) -> None:
    supervisor_file(database, "lock").mkdir()
    assert "The queue cannot be processed: Is a directory" in complaints(start(visit("run")))
    assert queued() == 0


def test_start_queues_the_run_that_the_form_shows(
    visit: Visit, database: Engine, reference: ReferenceServer, queued: Callable[[], int]
) -> None:
    at = visit("run", backend="url", base_url=reference.base_url, mode="batch", requests="3")
    assert at.selectbox(key=f"run-model-url-{reference.base_url}").value == "ref"
    at.text_input(key="about-name").set_value("from the form")
    at.text_input(key="about-tags").set_value("a, b,")
    start(fill(sound(at.run()), max_tokens=4))
    run = finished(database, 1)
    assert (run.name, run.tags, run.config.max_tokens) == ("from the form", ("a", "b"), 4)
    assert (run.config.model, run.config.requests, run.status) == ("ref", 3, "done")
    assert queued() == 1


def plain_python() -> None:
    """Work that costs what the machine is slow by just now, as a rerun does."""
    for number in range(20):
        json.loads(json.dumps({str(each): [each, number] for each in range(1000)}))


@pytest.mark.timed
def test_a_rerun_of_the_form_is_cheap(visit: Visit, database: Engine) -> None:
    for _ in range(50):
        store(database)
    at = visit("run", mode="batch", requests="5000", workload="synthetic")
    gc.collect()
    gc.freeze()  # as app.py does: what was loaded before is not searched at each collection
    spent_s = yardstick_s = 0.0
    for count in range(10):
        began = process_time()
        fill(at, max_tokens=10 + count)
        ended = process_time()
        plain_python()
        spent_s, yardstick_s = spent_s + ended - began, yardstick_s + process_time() - ended
    gc.unfreeze()
    assert spent_s / yardstick_s < MAX_TIMES


def test_length_distributions_have_a_spread_and_show_percentiles(visit: Visit) -> None:
    at = choose(visit("run"), "workload", "synthetic")
    assert "run-input_spread" not in {widget.key for widget in at.number_input}
    at.selectbox(key="run-input_distribution").set_value("uniform")
    at.selectbox(key="run-output_distribution").set_value("lognormal")
    at = fill(sound(at.run()), input_tokens=100, input_spread=0.2)
    assert "Prompt lengths: p5 82, p50 100, p95 118 tokens." in text_of(at)
    assert link_of(at)["output_distribution"] == "lognormal"
    assert complaints(fill(at, input_spread=2))


SESSION_FIELDS = ("turns", "history", "turn_delay_s", "turn_delay_scale", "turn_by_turn")


def session_fields(at: AppTest) -> set[str]:
    """The fields of sessions that the form asks for."""
    widgets = (*at.number_input, *at.selectbox, *at.toggle)
    keys = {widget.key for widget in widgets}
    return {name for name in SESSION_FIELDS if f"run-{name}" in keys}


def test_synthetic_sessions_have_fields_a_plan_and_a_chart(visit: Visit) -> None:
    at = choose(visit("run"), "workload", "synthetic")
    assert session_fields(at) == {"turns"}
    at = fill(at, turns=3, requests=6)
    assert session_fields(at) == {"turns", "history", "turn_delay_s"}
    assert "in 2 sessions of 3 turns" in text_of(at)
    assert "One session: each turn sends the history" in text_of(at)
    assert link_of(at)["turns"] == "3"


@pytest.mark.parametrize(
    ("row", "asked", "words"),
    [
        (b'{"prompt": "Hi"}', (), "Sends 5 requests plus"),
        (
            b'{"messages": [{"content": "a"}, {"role": "assistant", "content": "b"}, '
            b'{"content": "c"}]}',
            ("turn_by_turn",),
            "Sends 5 requests plus",
        ),
        (
            b'{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, '
            b'{"from": "human", "value": "c"}]}',
            ("turns", "history", "turn_delay_s", "turn_delay_scale"),
            "Sends 5 requests in 3 sessions of 2 turns",
        ),
        (
            b'{"turns": [{"text": "a"}, {"text": "b"}]}',
            ("turns", "history", "turn_delay_s", "turn_delay_scale"),
            "must be answered: prompt 1 is a conversation without recorded answers.",
        ),
    ],
)
def test_the_session_fields_depend_on_the_turns_of_a_file(
    visit: Visit, row: bytes, asked: tuple[str, ...], words: str
) -> None:
    at = choose(visit("run"), "workload", "file")
    at.file_uploader[0].upload("a.jsonl", row, "text/plain")
    sound(at.run())
    assert session_fields(at) == set(asked)
    assert words in text_of(at) + str(complaints(at))
