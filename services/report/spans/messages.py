"""Prompts and answers in the format of the GenAI conventions, for users who turned them on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from services.ask import dialogue
from services.ask.measurement import Measurement, Run
from services.report.prompt_text import sent_prompt
from services.report.spans.conventions import Attribute

AnswerOf = Callable[[int, int], str | None]  # by repeat and index
LONGEST = 10_000  # characters of a text, as in an exported page


def text_attributes(run: Run, m: Measurement, answer_of: AnswerOf) -> Iterator[Attribute]:
    """Yield the prompt and the answer of a request, each as JSON; unknown ones are left out.
    `answer_of` looks up an earlier answer, which a later turn sends again."""
    if run.source is None:  # what another tool sent is unknown
        nonce = run.environment.get("prompt_mark", "")
        sent = sent_prompt(
            run.config, m.repeat, m.index, nonce, lambda index: answer_of(m.repeat, index)
        )
        if sent is not None:
            messages = [_message(message) for message in dialogue.messages_of(sent)]
            yield "gen_ai.input.messages", _json(messages)
    if m.answer is not None:
        answer = {"role": "assistant", "parts": [_text(m.answer)]}
        yield (
            "gen_ai.output.messages",
            _json([answer | {"finish_reason": m.finish_reason or "error"}]),
        )


def _message(message: dialogue.Message) -> dict[str, Any]:
    return {"role": message["role"], "parts": [_text(text) for text in dialogue.texts_in(message)]}


def _text(text: str) -> dict[str, str]:
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return {"type": "text", "content": cut}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
