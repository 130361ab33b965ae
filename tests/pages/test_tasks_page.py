"""The page Tasks: prompts are handed in, watched, read, narrowed, cancelled and downloaded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

import jobs
from db import new_tasks, servers, task_batches, task_queue, tasks
from db.new_tasks import NewSettings
from db.task_queue import EndedTask, TaskWorker
from db.tasks import TaskFilter
from services.ask.saved_server import saved_server
from services.ask.tasks import NewTask, TaskEnd, TaskResult
from services.base.roles import Person, Role
from tests.pages.conftest import Visit, sound, text_of

NOW = datetime.now(UTC)
RAY = Person("ray@example.org", Role.runner)
UMA = Person("uma@example.org", Role.runner)
ADA = Person("ada@example.org", Role.admin)
SERVER = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ensure", lambda engine: None)  # nothing is asked


def as_(monkeypatch: pytest.MonkeyPatch, who: Person) -> None:
    assert who.role is not None
    name = who.role.name
    monkeypatch.setattr("pages.widgets.view.role", lambda: name)
    monkeypatch.setattr("pages.widgets.view.person", lambda: who)


def stored(
    database: Engine,
    count: int = 3,
    caller: str = RAY.caller,
    ended: int = 2,
    maker: str | None = None,
) -> str:
    """A batch of which the first task was answered, the second has failed, and the others wait."""
    settings = NewSettings({"backend": "url"}, SERVER, "m", {"target": {}})
    new = [(NewTask(f"Question {n} <b>*", {}, f"id-{n}"), 0) for n in range(count)]
    batch_id = new_tasks.create(database, caller, [settings], new, maker=maker).batch_id
    me = TaskWorker("a", "here", "machine")
    task_queue.register_worker(database, me)
    taken, _ = task_queue.exchange(database, me, [], {}, {(SERVER, caller): ended})
    ends = [
        TaskEnd("completed", result=TaskResult("Forty-two <i>", "m", "stop", 5, 2, e2e_s=0.5)),
        TaskEnd("failed", 500, "http", "The server is *ill*."),
    ]
    done = [EndedTask(task.id, NOW, NOW, ends[min(n, 1)]) for n, task in enumerate(taken)]
    task_queue.exchange(database, me, done, {}, {})
    task_queue.remove_worker(database, me.worker)
    return batch_id


def test_tasks_of_a_revoked_token_are_on_its_makers_page_alone(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = stored(database, caller="ci (token) 1", maker=RAY.name)
    as_(monkeypatch, UMA)
    assert "There are no tasks yet." in text_of(visit("batches"))
    assert "There is no batch" in text_of(visit("batches", batch=batch_id))
    as_(monkeypatch, RAY)
    assert "by ci (token) 1" in text_of(visit("batches")).replace("\\", "")
    at = visit("batches", batch=batch_id)
    sound(next(each for each in at.button if each.label == "Cancel").click().run())
    assert task_batches.load(database, batch_id).counts["cancelled"] == 1


def test_prompts_are_submitted_one_per_line(visit: Visit, database: Engine) -> None:
    at = visit("batches")
    assert "There are no tasks yet." in text_of(at)
    button = next(each for each in at.button if each.label == "Queue tasks")
    assert "There is no prompt yet." in text_of(sound(button.click().run()))
    at = sound(at.button_group(key="tasks-how").set_value("One per line").run())
    at = sound(at.text_area(key="tasks-text").set_value("One?\n\n Two?\n").run())
    at = sound(at.number_input(key="run-task-max_tokens").set_value(9).run())
    button = next(each for each in at.button if each.label == "Queue tasks")
    at = sound(button.click().run())
    (batch,) = task_batches.list_all(database)
    queued = tasks.find(database, TaskFilter(batch.batch_id))
    asked = tasks.prompts(database, [task.task_id for task in queued])
    assert [asked[task.task_id] for task in queued] == ["One?", "Two?"]
    assert "2 tasks on embedded" in text_of(at)


@pytest.mark.parametrize("text", ["\x1emessages:[]", "\x1emessages:?", "a\0b"])
def test_a_prompt_with_an_unsendable_character_is_refused(
    visit: Visit, database: Engine, text: str
) -> None:
    """It begins as stored messages do: a page that shows it would break, also an admin's."""
    at = sound(visit("batches").text_area(key="tasks-text").set_value(text).run())
    at = sound(next(each for each in at.button if each.label == "Queue tasks").click().run())
    assert "a character that cannot be sent" in text_of(at)
    assert not task_batches.count(database)


def test_a_list_shows_the_progress_of_each_batch(visit: Visit, database: Engine) -> None:
    stored(database, caller="uma"), stored(database, 2)
    at = sound(visit("batches"))
    text = text_of(at)
    assert "In progress" in [part.value for part in at.subheader]
    assert "1 queued, 1 completed, 1 failed" in text and "1 completed, 1 failed" in text
    assert RAY.caller in text and "by" in text


def test_filters_of_a_batch_are_in_its_link(visit: Visit, database: Engine) -> None:
    batch_id = stored(database, 5)
    at = sound(visit("batches", batch=batch_id))
    assert len(at.dataframe[0].value) == 5
    assert {m.label: m.value for m in at.metric}["Queued"] == "3"
    at = sound(at.selectbox(key="batches-status").set_value("failed").run())
    assert list(at.dataframe[0].value["Answer"]) == ["The server is *ill*."]
    assert at.query_params["status"] == "failed"
    at = sound(visit("batches", batch=batch_id, text="question 4"))
    assert list(at.dataframe[0].value["Custom ID"]) == ["id-4"]
    nothing = sound(visit("batches", batch=batch_id, text="100%"))
    assert "No task matches." in text_of(nothing)


def test_a_task_shows_its_prompt_and_answer_as_they_are(visit: Visit, database: Engine) -> None:
    first, second, third = tasks.find(database, TaskFilter(stored(database)))
    at = sound(visit("batches", task=first.task_id))
    assert [code.value for code in at.code] == ["Question 0 <b>*", "Forty-two <i>"]
    assert "Finish" in str(at.table[0].value)
    assert "The server is *ill*." in text_of(sound(visit("batches", task=second.task_id)))
    waiting = sound(visit("batches", task=third.task_id))
    button = next(each for each in waiting.button if each.label == "Cancel")
    sound(button.click().run())
    assert tasks.load(database, third.task_id).status == "cancelled"


@pytest.mark.long
def test_a_batch_is_downloaded_from_the_api(visit: Visit, database: Engine) -> None:
    batch_id = stored(database)
    links = sound(visit("batches", batch=batch_id)).get("link_button")
    assert [link.proto.url for link in links] == [
        f"/api/inference/batch/{batch_id}/output.{ending}" for ending in ("jsonl", "csv")
    ]


def test_a_batch_is_cancelled(visit: Visit, database: Engine) -> None:
    batch_id = stored(database)
    at = sound(visit("batches", batch=batch_id))
    sound(next(each for each in at.button if each.label == "Cancel").click().run())
    assert task_batches.load(database, batch_id).ended


def test_people_see_their_own_tasks_and_admins_see_all(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = stored(database)
    (task, *_) = tasks.find(database, TaskFilter(batch_id))
    as_(monkeypatch, UMA)
    assert "There are no tasks yet." in text_of(visit("batches"))
    for parameters in ({"batch": batch_id}, {"task": task.task_id}):
        at = visit("batches", **parameters)
        assert "There is no" in text_of(at) and not at.code and not at.metric
    for who in (RAY, ADA):
        as_(monkeypatch, who)
        assert "Forty-two" in str([c.value for c in visit("batches", task=task.task_id).code])
    as_(monkeypatch, Person("vera@example.org", Role.viewer))
    assert not visit("batches", task=task.task_id).code


def test_a_runner_submits_tasks_to_saved_servers_only(
    visit: Visit, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {"backend": "url", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    servers.save(database, saved_server("prod", server))
    as_(monkeypatch, RAY)
    at = visit("batches")
    assert at.selectbox(key="run-task-backend").options == ["prod", "Embedded llama.cpp"]
    at = sound(at.text_area(key="tasks-text").set_value("One?").run())
    at = sound(next(each for each in at.button if each.label == "Queue tasks").click().run())
    (batch,) = task_batches.list_all(database)
    assert batch.caller == RAY.caller and batch.servers == ("embedded",)
