"""What a request sent, in readable form: its prompt as text, and its position in a session."""

from __future__ import annotations

import json
from collections.abc import Callable

from services.ask import dialogue, workloads
from services.ask.config import RunConfig
from services.ask.dialogue import Message
from services.ask.sessions import sessions_of


def text_sent(
    config: RunConfig, repeat: int, index: int, nonce: str, answer_of: Callable[[int], str | None]
) -> str | None:
    """Return the text that a request sent, see `sent_prompt`."""
    prompt = sent_prompt(config, repeat, index, nonce, answer_of)
    return None if prompt is None else transcript(prompt)


def sent_prompt(
    config: RunConfig, repeat: int, index: int, nonce: str, answer_of: Callable[[int], str | None]
) -> str | None:
    """Return the prompt that a request sent, with its messages; None if an answer in its history is
    unknown. `answer_of` returns the answer to a request of this repeat by its index."""
    before = _earlier_turns(config, index) if config.history == "answered" else range(0)
    answers = [answer_of(earlier) for earlier in before]
    known = [answer for answer in answers if answer is not None]
    if len(known) < len(answers):
        return None
    return workloads.prompt(config, repeat, index, nonce, known or None)


def transcript(prompt: str) -> str:
    """Return a prompt as text: a single message unchanged, several with their roles above them."""
    messages, options = dialogue.messages_of(prompt), dialogue.options_of(prompt)
    if len(messages) == 1 and not options and isinstance(messages[0].get("content"), str):
        return str(messages[0]["content"])
    parts = [f"{message['role']}:\n{_message_text(message)}" for message in messages]
    return "\n\n".join([*parts, *(f"{name}:\n{_json(value)}" for name, value in options.items())])


def turn_of(config: RunConfig, index: int) -> dict[str, int]:
    """Return the session and the turn of a request, counted from 1; {} if it is not part of a
    session."""
    if (sessions := sessions_of(config)) is None:
        return {}
    session, turn = sessions.locate(index)
    return {"session": session + 1, "turn": turn + 1}


def _earlier_turns(config: RunConfig, index: int) -> range:
    """The earlier requests of its session."""
    sessions = sessions_of(config)
    return range(index - sessions.locate(index)[1], index) if sessions else range(0)


def _message_text(message: Message) -> str:
    others = {k: v for k, v in message.items() if k not in ("role", "content")}
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    texts = dialogue.texts_in(message)
    texts += [_json(part) for part in parts if not isinstance(part.get("text"), str)]
    return "\n".join([*texts, *([_json(others)] if others else [])])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
