"""Prepare requests: their prompts, as bodies in the API format of the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from services.ask import modes, workloads
from services.ask.backends.wire_formats import body
from services.ask.dialogue import all_text_of
from services.ask.measurement import WARM_UP
from services.ask.sessions import sessions_of
from services.base.redact import known
from services.load.protocol import Job
from services.load.supply import Following, PreparedRequest


class Preparer:
    """Prepares the requests of one repeat. `client.request` writes a body as bytes."""

    def __init__(self, job: Job, client: Any, repeat: int) -> None:
        self._job = job
        self._client = client
        self._repeat = repeat
        self._sessions = sessions_of(job.config)

    def alone(self, count: int) -> Iterator[PreparedRequest]:
        """Prepare the first requests that stand alone, or begin a session, without what follows."""
        return (self._prepared(index) for index in self._first(range(count)))

    def sessions(self, numbers: Iterable[int]) -> Iterator[PreparedRequest]:
        """Prepare requests by number; of a run with sessions, the first one of each session, with
        its later turns to follow."""
        return (self._with_following(index, ()) for index in self._first(numbers))

    def _first(self, numbers: Iterable[int]) -> Iterable[int]:
        return map(self._sessions.first, numbers) if self._sessions else numbers

    def _prepared(
        self, index: int, answers: tuple[str, ...] = (), following: Following | None = None
    ) -> PreparedRequest:
        job = self._job
        given = answers if job.config.history == "answered" else None
        text = workloads.prompt(job.config, self._repeat, index, job.nonce, given)
        config = workloads.request_config(job.config, self._repeat, index)
        data = self._client.request(body(config, job.target, text))
        return PreparedRequest(index, data, known(all_text_of(text)), following)

    def _with_following(self, index: int, answers: tuple[str, ...]) -> PreparedRequest:
        return self._prepared(index, answers, self._following(index, answers))

    def _following(self, index: int, answers: tuple[str, ...]) -> Following | None:
        """Return how the next turn of a request's session is prepared, if there is one."""
        if (sessions := self._sessions) is None:
            return None
        session, turn = sessions.locate(index)
        delays = sessions.delays(session)
        left = len(delays) - turn - 1
        if self._repeat != WARM_UP:
            left = min(left, modes.most(self._job.config) - index - 1)
        if left < 1:
            return None

        def prepare(answer: str) -> PreparedRequest:
            return self._with_following(index + 1, (*answers, answer))

        recorded = self._job.config.history == "recorded"
        return Following(delays[turn + 1], left, prepare, recorded)


def ahead(requests: Iterator[PreparedRequest], count: int, size: int) -> Iterator[PreparedRequest]:
    """Prepare the first requests now, up to a number and a size in bytes: those that are due
    together must be ready, and all of a long run would fill the memory. The later turns of their
    sessions count, and are prepared with them where the answers make no difference: done when an
    answer has ended, it would delay what is due then."""
    ready: list[PreparedRequest] = []
    for request in requests:
        turns = _turns(request)
        ready.append(_linked(turns))
        count, size = count - len(turns), size - sum(len(turn.body) for turn in turns)
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
    """Return the first of these turns; what follows each is the next one, as it is."""
    later = turns[-1]
    for turn in reversed(turns[:-1]):
        assert turn.following is not None
        following = replace(turn.following, prepare=partial(_as_it_is, later))
        later = replace(turn, following=following)
    return later


def _as_it_is(request: PreparedRequest, answer: str) -> PreparedRequest:
    return request
