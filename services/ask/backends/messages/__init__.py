"""The messages and tools of a prompt in each API format: unchanged in chat completions, otherwise
converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from services.ask.backends.errors import BackendProblem
from services.ask.backends.messages import anthropic, ollama, plain, responses
from services.ask.backends.messages.parts import Fields
from services.ask.backends.messages.parts import UnsupportedPart as UnsupportedPart
from services.ask.config import DialectName, RunConfig
from services.ask.dialogue import MARK, Message, read


def fields(dialect: DialectName, prompt: str) -> Fields:
    """Return the fields of a request's body that contain its prompt and its tools.

    Raises:
        UnsupportedPart: the format does not support a part of it.
    """
    return WRITERS[dialect](*read(prompt))


def check(config: RunConfig, dialect: DialectName, label: str) -> None:
    """Check that a run's own prompts can be sent in a dialect.

    Raises:
        BackendProblem: one cannot; the message says which and why.
    """
    if problem := _problem((*config.prompts, config.prompt or ""), dialect):
        number, what = problem
        raise BackendProblem(
            f"{label} cannot send prompt {number:,}: it has {what}. Choose another API format, or "
            "remove the prompt."
        )


@lru_cache(maxsize=16)  # a form calls it again at every change
def _problem(prompts: tuple[str, ...], dialect: DialectName) -> tuple[int, str] | None:
    for number, prompt in enumerate(prompts, 1):
        if prompt.startswith(MARK):
            try:
                fields(dialect, prompt)
            except UnsupportedPart as problem:
                return number, str(problem)
    return None


def _unchanged_fields(messages: list[Message], options: Mapping[str, Any]) -> Fields:
    return {"messages": messages, **options}


WRITERS: Mapping[DialectName, Callable[[list[Message], Mapping[str, Any]], Fields]] = {
    "chat": _unchanged_fields,
    "completions": plain.fields,
    "responses": responses.fields,
    "anthropic": anthropic.fields,
    "ollama": ollama.fields,
}
