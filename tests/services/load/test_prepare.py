"""Requests prepared before a repeat begins: the later turns that need no answer are among them."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from services.ask.backends import Target
from services.ask.config import RunConfig
from services.base.redact import Secret
from services.load.prepare import Preparer, prepare_ahead
from services.load.protocol import Job
from services.load.repeat import client_of
from services.load.supply import PreparedRequest

THREE = {"workload": "synthetic", "turns": 3, "input_tokens": 8, "max_tokens": 5, "requests": 9}


def sessions(size: int = sys.maxsize, count: int = 100, **values: Any) -> list[PreparedRequest]:
    config = RunConfig.model_validate({**THREE, **values})
    job = Job(config, Target("url", "http://127.0.0.1:9/v1", "m", None), "nonce", 0)
    preparer = Preparer(job, client_of(job), 0)
    return list(prepare_ahead(preparer.sessions(range(3)), count, size))


def turns(request: PreparedRequest, answer: str) -> list[PreparedRequest]:
    found = [request]
    while found[-1].following:
        found.append(found[-1].following.prepare(answer))
    return found


def sent(request: PreparedRequest) -> list[str]:
    body = json.loads(request.body[request.body.index(b"\r\n\r\n") :])
    return [message["content"] for message in body["messages"]]


def test_turns_with_recorded_answers_are_prepared_with_the_first() -> None:
    for request in sessions():
        one, other = turns(request, "an answer"), turns(request, "another")
        assert [turn.index - request.index for turn in one] == [0, 1, 2]
        assert all(a is b for a, b in zip(one, other, strict=True))
        assert [len(sent(turn)) for turn in one] == [1, 3, 5]


def test_a_turn_that_sends_the_answer_waits_for_it() -> None:
    (request, *_) = sessions(history="answered")
    _, second, third = turns(request, "an answer")
    assert sent(second)[1] == sent(third)[3] == "an answer"


MARKED = 'say "<answer 0>", \\ and \u00e9 \U0001f600\nthen'


@pytest.mark.parametrize(
    ("backend", "dialect"),
    [
        ("url", None),
        ("url", "completions"),
        ("url", "responses"),
        ("anthropic", None),
        ("ollama", None),
    ],
)
@pytest.mark.parametrize("answer", ["an answer", MARKED, " ", ""])
def test_turns_prepared_ahead_equal_turns_prepared_when_due(
    backend: str, dialect: str | None, answer: str
) -> None:
    config = RunConfig.model_validate({**THREE, "history": "answered", "dialect": dialect})
    target = Target(backend, "http://127.0.0.1:9/v1", "m", None, chosen=dialect)
    job = Job(config, target, "nonce", 0)
    client = client_of(job)
    before = list(prepare_ahead(Preparer(job, client, 0).sessions(range(3)), 100, sys.maxsize))
    after = list(Preparer(job, client, 0).sessions(range(3)))
    for one, other in zip(before, after, strict=True):
        for fast, slow in zip(turns(one, answer), turns(other, answer), strict=True):
            assert (fast.index, fast.body) == (slow.index, slow.body)
            assert as_text(fast.prompt) == as_text(slow.prompt)


@pytest.mark.parametrize(
    ("most", "written"), [({"of_answered": 1}, [1]), ({"size": 10_000, "of_answered": 0}, [])]
)
def test_the_amount_prepared_ahead_is_limited(most: dict[str, int], written: list[int]) -> None:
    config = RunConfig.model_validate({**THREE, "history": "answered"})
    job = Job(config, Target("url", "http://127.0.0.1:9/v1", "m", None), "nonce", 0)
    preparer = Preparer(job, client_of(job), 0)
    list(prepare_ahead(preparer.sessions(range(3)), 100, **{"size": sys.maxsize, **most}))
    assert sorted(preparer._templates) == written


def test_a_long_session_is_only_partly_prepared_ahead() -> None:
    """Its bodies repeat all turns before: 400 turns of 0.6 kB have 50 MB together, and 50 MB of
    text. Of 100 turns it is 6 MB."""
    fields = {"turns": 100, "requests": 100, "history": "answered", "input_tokens": 100}
    config = RunConfig.model_validate({**THREE, **fields})
    job = Job(config, Target("url", "http://127.0.0.1:9/v1", "m", None), "nonce", 0)
    preparer = Preparer(job, client_of(job), 0)
    (first,) = prepare_ahead(preparer.sessions(range(1)), 1000, sys.maxsize, of_answered=500_000)
    each = [written.size for written in preparer._templates.values()]
    assert 500_000 <= sum(each) < 500_000 + max(each)
    assert [turn.index for turn in turns(first, "x")] == list(range(100))


def as_text(secret: Secret) -> str:
    return secret if isinstance(secret, str) else secret.secret


@pytest.mark.parametrize(("few", "ready"), [({"count": 4}, 2), ({"size": 1}, 1)], ids=str)
def test_later_turns_count_toward_what_is_prepared(few: dict[str, int], ready: int) -> None:
    found = [(turns(request, "x"), turns(request, "y")) for request in sessions(**few)]
    assert [[turn.index for turn in one] for one, _ in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    same = [all(a is b for a, b in zip(*both, strict=True)) for both in found]
    assert same == [True] * ready + [False] * (3 - ready)
