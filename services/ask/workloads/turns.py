"""The prompts of sessions: a conversation up to one of its turns, and the classes of its requests.

In a synthetic workload each user message is as long as a prompt, and each recorded answer as long
as `max_tokens`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.ask import conversation, dialogue
from services.ask.config import RunConfig
from services.ask.dialogue import Turn
from services.ask.sessions import Sessions
from services.ask.workloads.synthetic import Synthetic, text

FIRST, LATER = "first", "later"
CLASSES = (FIRST, LATER)


def class_of(sessions: Sessions, index: int) -> str:
    """Return the class of a request: `first` or `later`."""
    return LATER if sessions.locate(index)[1] else FIRST


def prompt(
    config: RunConfig,
    sessions: Sessions,
    index: int,
    answers: Sequence[str] | None,
    max_tokens: Callable[[int], int],
    nonce: str,
    begins: str | None = None,
) -> str:
    """Return the prompt of request `index`, with `nonce` at its beginning. `answers`: the server's
    answers before it in its session; None: send the recorded ones. `max_tokens`: of a request.
    `begins`: the first message of a synthetic session, instead of its own text."""
    session, turn = sessions.locate(index)
    if config.workload == "synthetic":
        limits = max_tokens if answers is None else None
        found = _made_up(config, index - turn, turn, limits, begins)
        return conversation.prompt(found, None, answers, nonce)
    stored = config.prompts[session % len(config.prompts)]
    found = conversation.turns(stored, config.turn_by_turn, turn + 1)
    return conversation.prompt(found, dialogue.options_of(stored), answers, nonce)


def _made_up(
    config: RunConfig,
    first: int,
    last: int,
    max_tokens: Callable[[int], int] | None,
    begins: str | None,
) -> list[Turn]:
    """The turns of a synthetic session that begins with request `first`, up to turn `last`; without
    answers if no `max_tokens` is given."""
    texts = Synthetic(config)
    later = Synthetic(config.model_copy(update={"unique_prompts": False}))  # without a nonce
    turns = [Turn([_message("user", begins or texts[first % len(texts)])])]
    for index in range(first + 1, first + last + 1):
        message = [_message("user", later[index % len(later)])]
        if max_tokens is not None:
            key = f"{config.seed or 0}/answer/{index}"
            answer = text(key, max_tokens(index - 1), config.text_style)
            message.insert(0, _message("assistant", answer))
        turns.append(Turn(message))
    return turns


def _message(role: str, content: str) -> dialogue.Message:
    return {"role": role, "content": content}
