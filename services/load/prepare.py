"""Prepare requests: turn prompts into bodies in the API format of the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import orjson
from orjson import Fragment

from services.ask import modes, workloads
from services.ask.backends.wire_formats import Body, body
from services.ask.dialogue import all_text_of
from services.ask.measurement import WARM_UP
from services.ask.sessions import sessions_of
from services.base.redact import known
from services.load.body_template import BodyTemplate, placeholders, split_body
from services.load.protocol import Job
from services.load.supply import Following, PreparedRequest


class Preparer:
    """Prepares the requests of one repeat. `client.request` writes a body as bytes."""

    def __init__(self, job: Job, client: Any, repeat: int) -> None:
        self._job = job
        self._client = client
        self._repeat = repeat
        self._sessions = sessions_of(job.config)
        self._templates: dict[int, BodyTemplate] = {}  # later turns, by index

    def alone(self, count: int) -> Iterator[PreparedRequest]:
        """Prepare the first requests, each alone or the first of its session, without later
        turns."""
        return (self._encode(index) for index in self._first(range(count)))

    def sessions(self, numbers: Iterable[int]) -> Iterator[PreparedRequest]:
        """Prepare requests by number; in a run with sessions, the first turn of each session,
        linked to its later turns."""
        return (self._encode_with_following(index, ()) for index in self._first(numbers))

    def _first(self, numbers: Iterable[int]) -> Iterable[int]:
        return map(self._sessions.first, numbers) if self._sessions else numbers

    def _encode(
        self, index: int, answers: tuple[str, ...] = (), following: Following | None = None
    ) -> PreparedRequest:
        template = self._templates.pop(index, None)
        if template is not None and all(answers):  # an empty answer may be left out of a body
            content, prompt = template.fill(answers)
            data = self._client.request(Fragment(content))
            return PreparedRequest(index, data, prompt, following)
        given = answers if self._job.config.history == "answered" else None
        made, text = self._build_body(index, given)
        return PreparedRequest(index, self._client.request(made), known(text), following)

    def _build_body(self, index: int, answers: tuple[str, ...] | None) -> tuple[Body, str]:
        """The body of a request, and all text in the request."""
        job = self._job
        text = workloads.prompt(job.config, self._repeat, index, job.nonce, answers)
        config = workloads.request_config(job.config, self._repeat, index)
        return body(config, job.target, text), all_text_of(text)

    def _write(self, index: int, turn: int, left: int, most: int) -> int:
        """Write the turns of a session from this one on as templates, until they have `most` bytes;
        return how many bytes they have. The total size of n turns grows with n²."""
        size = 0
        marks = placeholders(turn + left - 1)
        for number in range(left):
            if size >= most:
                break
            these = marks[: turn + number]
            made, text = self._build_body(index + number, these)
            known(text)  # imports what a long text needs
            if (template := split_body(orjson.dumps(made), text, these)) is not None:
                self._templates[index + number] = template
                size += template.size
        return size

    def _encode_with_following(self, index: int, answers: tuple[str, ...]) -> PreparedRequest:
        return self._encode(index, answers, self._following(index, answers))

    def _following(self, index: int, answers: tuple[str, ...]) -> Following | None:
        """Return how to prepare the next turn of a request's session, if there is one."""
        if (sessions := self._sessions) is None:
            return None
        session, turn = sessions.locate(index)
        delays = sessions.delays(session)
        turns_left = len(delays) - turn - 1
        if self._repeat != WARM_UP:
            turns_left = min(turns_left, modes.max_requests(self._job.config) - index - 1)
        if turns_left < 1:
            return None

        def prepare(answer: str) -> PreparedRequest:
            return self._encode_with_following(index + 1, (*answers, answer))

        recorded = self._job.config.history == "recorded"
        write = None
        if not recorded and self._job.target.client == "wire":
            write = partial(self._write, index + 1, turn + 1, turns_left)
        return Following(delays[turn + 1], turns_left, prepare, recorded, write)


def prepare_ahead(
    requests: Iterator[PreparedRequest], count: int, size: int, of_answered: int = 64 * 2**20
) -> Iterator[PreparedRequest]:
    """Prepare the first requests now, up to a number and a size in bytes: those that are due
    together must be ready, but all requests of a long run would fill the memory. The later turns of
    their sessions count, too. They are prepared with them if they do not depend on the answers,
    since preparing them after an answer would delay other requests. Otherwise they are written
    without the answers, up to `of_answered` bytes of memory."""
    ready: list[PreparedRequest] = []
    for request in requests:
        turns = _turns(request)
        ready.append(_linked(turns))
        count, size = count - len(turns), size - sum(len(turn.body) for turn in turns)
        later = turns[-1].following
        if later is not None and later.write is not None and of_answered > 0:
            used = later.write(min(of_answered, size))
            count, size, of_answered = count - later.left, size - used, of_answered - used
        if count <= 0 or size <= 0:
            break
    return chain(ready, requests)


def _turns(request: PreparedRequest) -> list[PreparedRequest]:
    """Return a request and the turns after it that do not depend on an answer, prepared."""
    turns = [request]
    while (following := turns[-1].following) and following.recorded:
        turns.append(following.prepare(""))
    return turns


def _linked(turns: list[PreparedRequest]) -> PreparedRequest:
    """Return the first of these turns, each linked to the next one."""
    later = turns[-1]
    for turn in reversed(turns[:-1]):
        assert turn.following is not None
        following = replace(turn.following, prepare=partial(_keep_request, later))
        later = replace(turn, following=following)
    return later


def _keep_request(request: PreparedRequest, answer: str) -> PreparedRequest:
    return request
