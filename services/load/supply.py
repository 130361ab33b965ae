"""The prepared requests of a repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.base.redact import Secret


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request, ready to be sent. `prompt` is kept out of error messages. `following`: the next
    turn of its session."""

    index: int
    body: bytes
    prompt: Secret
    following: Following | None = None


@dataclass(frozen=True, slots=True)
class Following:
    """A turn that is due `delay_s` after the answer before has ended; it is prepared then, from
    that answer. `left`: how many turns of the session are left, with it. `recorded`: the answer
    makes no difference, so that the turn can be prepared before. `write`: do what can be done of
    these turns without the answers, up to so many bytes; return how many they have."""

    delay_s: float
    left: int
    prepare: Callable[[str], PreparedRequest]
    recorded: bool = False
    write: Callable[[int], int] | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """The requests of a repeat, in order, each the first of its session: `starts` of them at most,
    `count` with all later turns (None: there are none); and those that are sent before it starts,
    which do not count."""

    counted: Iterator[PreparedRequest]
    starts: int
    count: int | None = None
    warm: Iterator[PreparedRequest] = field(default_factory=lambda: iter(()))
