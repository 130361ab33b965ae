"""A key that is typed on a page reaches the address it was typed for, and nothing that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from db import queue, runs, studies, tasks
from db.tasks import TaskFilter
from services.ask.measurement import Run
from tests.conftest import finished, until
from tests.pages.conftest import Visit, complaints, link_of, sound, text_of
from tests.picky import Picky, serving
from tests.reference import KEY

ONE = {"requests": "1", "warmup": "0", "model": "m"}


def wants(key: str) -> Picky:
    """A server that refuses requests without `key`."""
    right = f"Bearer {key}"
    no = (401, {"error": {"message": "no key, or a wrong one"}})
    return Picky(
        refuses=lambda _, headers: None if headers.get("Authorization") == right else no,
        refuses_list=lambda headers: None if headers.get("Authorization") == right else no,
    )


@pytest.fixture
def locked() -> Iterator[Picky]:
    with serving(wants(KEY)) as server:
        yield server


@pytest.fixture
def other() -> Iterator[Picky]:
    """Another server, which answers everybody and keeps what it is sent."""
    with serving(Picky()) as server:
        yield server


def got(server: Picky) -> set[str]:
    """Everything that came with the questions to a server, but for which address was asked."""
    headers_sent = [headers for _, headers, _ in server.asked] + [
        headers for _, headers in server.listed
    ]
    return {value for headers in headers_sent for name, value in headers.items() if name != "Host"}


def type_key(at: AppTest, server: Picky, key: str = KEY) -> AppTest:
    at.text_input(key=f"secret-{server.url}").set_value(key)
    return sound(at.run())


def press(at: AppTest, label: str) -> AppTest:
    return sound(next(button for button in at.button if button.label == label).click().run())


def fields(at: AppTest) -> list[str]:
    return [field.key or "" for field in at.text_input if (field.key or "").startswith("secret-")]


def ended(database: Engine, run_id: int) -> Run:
    run = finished(database, run_id)
    assert (run.status, run.error) == ("done", None)
    assert all(m.status == "ok" for m in runs.measurements(database, run_id))
    return run


def nowhere(folder: Path) -> None:
    for file in folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


@pytest.mark.long
def test_a_key_for_the_backends_own_address_is_sent_and_kept_nowhere(
    visit: Visit, database: Engine, locked: Picky, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = visit("run", backend="vllm", **ONE)
    monkeypatch.setenv("VLLM_BASE_URL", locked.url)
    st.cache_data.clear()
    at = type_key(sound(at.run()), locked)
    assert f"Sent only to {locked.url}." in text_of(at)
    assert KEY not in str(link_of(at)) + text_of(at)
    press(at, "Start")
    ended(database, 1)
    nowhere(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("backend", ["url", "vllm", "sglang", "openai", "groq"])
def test_a_key_for_a_typed_address_is_sent_there(
    visit: Visit, database: Engine, locked: Picky, tmp_path: Path, backend: str
) -> None:
    at = visit("run", backend=backend, base_url=f"{locked.url}/v1", **ONE)
    assert "You can also enter one under “API keys for this session”" in complaints(at)
    at = type_key(at, locked)
    assert not complaints(at), "its models are listed with the key"
    press(at, "Start")
    assert ended(database, 1).config.base_url == f"{locked.url}/v1"
    nowhere(tmp_path)
    at.switch_page("run.py")
    at.query_params["like"] = "1"
    assert "from 1 earlier run" in text_of(sound(at.run())), "its server is known with the key"


def test_a_wrong_key_is_said_to_be_refused(visit: Visit, locked: Picky) -> None:
    at = visit("run", backend="url", base_url=f"{locked.url}/v1", **ONE)
    messages = complaints(type_key(at, locked, "another-key"))
    assert "rejects the key that you typed (HTTP 401: no key, or a wrong one)" in messages
    assert "another-key" not in messages and "PACELINE_URL_API_KEY" not in messages
    (start,) = [button for button in at.button if button.label == "Start"]
    assert not start.disabled, "a server without a list may answer all the same"


@pytest.mark.long
def test_a_candidates_key_goes_to_that_candidate_alone(
    visit: Visit, database: Engine, locked: Picky, other: Picky
) -> None:
    theirs = f"backend=url&base_url={locked.url.replace(':', '%3A').replace('/', '%2F')}&model=m"
    at = visit("run", backend="vllm", base_url=f"{other.url}/v1", vs=theirs, each="2", **ONE)
    assert fields(at) == [f"secret-{other.url}", f"secret-{locked.url}"]
    press(type_key(at, locked), "Start")
    for run_id in (1, 2):
        ended(database, run_id)
    until(lambda: not queue.active(database), 60)
    assert len(locked.asked) == len(other.asked) == 2
    assert not [value for value in got(other) if KEY in value]


@pytest.mark.long
def test_a_key_does_not_follow_the_form_to_another_address(
    visit: Visit, database: Engine, locked: Picky, other: Picky
) -> None:
    at = type_key(visit("run", backend="url", base_url=f"{locked.url}/v1", **ONE), locked)
    at.text_input(key="run-base_url-url").set_value(f"{other.url}/v1")
    at = sound(at.run())
    assert at.text_input(key=f"secret-{other.url}").value == ""
    press(at, "Start")
    ended(database, 1)
    assert other.asked and other.listed
    assert not [value for value in got(other) if KEY in value]


@pytest.mark.long
def test_a_redirect_takes_no_key_along(
    visit: Visit, database: Engine, locked: Picky, other: Picky
) -> None:
    locked.redirects = f"{other.url}/v1/chat/completions"
    at = type_key(visit("run", backend="url", base_url=f"{locked.url}/v1", **ONE), locked)
    press(at, "Start")
    assert finished(database, 1).status == "failed"
    assert locked.asked
    assert not [value for value in got(other) if KEY in value]


@pytest.mark.long
def test_further_repeats_take_the_key_of_the_session(
    visit: Visit, database: Engine, locked: Picky, tmp_path: Path
) -> None:
    at = type_key(visit("run", backend="url", base_url=f"{locked.url}/v1", **ONE), locked)
    press(at, "Start")
    ended(database, 1)
    at.switch_page("result.py")
    at.query_params["run"] = "1"
    at = sound(at.run())
    at.number_input(key="further").set_value(1)
    press(at, "Start")
    assert len(ended(database, 1).repeats) == 2
    nowhere(tmp_path)
    another = visit("result", run="1")
    another.number_input(key="further").set_value(1)
    another = press(another, "Start")
    assert "measured with an API key, which is not stored" in complaints(another)
    assert len(ended(database, 1).repeats) == 2, "and not two and a refusal"


@pytest.mark.long
def test_a_study_is_resumed_with_the_key_of_the_session(
    visit: Visit, database: Engine, locked: Picky
) -> None:
    at = visit(
        "study",
        preset="concurrency",
        backend="url",
        base_url=f"{locked.url}/v1",
        model="m",
        concurrencies="1",
        requests="1",
        warmup="0",
    )
    press(type_key(at, locked), "Start study")
    (run,) = studies.load(database, 1).runs
    ended(database, run.id)
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET status = 'interrupted'")
    at.query_params["study"] = "1"
    press(sound(at.run()), "Resume")
    again = studies.load(database, 1).runs[-1]
    ended(database, again.id)


@pytest.mark.long
def test_a_typed_key_is_sent_with_tasks_and_stored_nowhere(
    visit: Visit, database: Engine, locked: Picky, tmp_path: Path
) -> None:
    at = visit("batches")
    at = sound(at.selectbox(key="run-task-backend").set_value("url").run())
    at = sound(at.text_input(key="run-task-base_url-url").set_value(f"{locked.url}/v1").run())
    assert "requires a key" in complaints(at)
    at = sound(at.text_area(key="tasks-text").set_value("One?").run())
    at = type_key(at, locked)
    press(at, "Queue tasks")
    (task,) = until(lambda: [t for t in tasks.find(database, TaskFilter()) if t.ended_at], 60)
    assert (task.status, task.error) == ("completed", None)
    nowhere(tmp_path)


@pytest.mark.long
def test_a_typed_key_is_not_in_another_session(visit: Visit, locked: Picky) -> None:
    there = {"backend": "url", "base_url": f"{locked.url}/v1", **ONE}
    type_key(visit("run", **there), locked)
    at = visit("run", **there)
    assert at.text_input(key=f"secret-{locked.url}").value == ""
    assert "requires a key" in complaints(at)


@pytest.mark.parametrize("backend", ["url", "embedded", "ollama", "litellm"])
def test_no_key_is_asked_for_without_an_address_to_send_it_to(visit: Visit, backend: str) -> None:
    at = visit("run", backend=backend)
    assert not fields(at) and "Sent only to" not in text_of(at)
