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
    """A turn that is due `delay_s` after the previous answer has ended; it is prepared then, from
    that answer. `left`: how many turns of the session are left, including it. `recorded`: it does
    not depend on the answer, so it can be prepared before. `write`: write these turns as far as
    possible without the answers, up to a number of bytes; return how many bytes they have."""

    delay_s: float
    left: int
    prepare: Callable[[str], PreparedRequest]
    recorded: bool = False
    write: Callable[[int], int] | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """The requests of a repeat in order, each the first of its session: at most `starts` of them,
    or `count` including all later turns (None: there are no later turns); and the warm-up requests,
    which are sent before."""

    counted: Iterator[PreparedRequest]
    starts: int
    count: int | None = None
    warm: Iterator[PreparedRequest] = field(default_factory=lambda: iter(()))
