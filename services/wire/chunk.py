"""One JSON chunk of a chat completion: does it carry a token, which, and what does it end?

OpenAI's chunks have `choices`. Ollama's own have `message`, and say `done` with the last.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson

from services.wire.message import words_of

THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # what engines call it
COUNT_MOST = 2**31 - 1  # no answer has more tokens; a larger count is nonsense


class Usage(NamedTuple):
    """Token counts as the server reports them; None: it did not say."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


class Chunk(NamedTuple):
    text: str = ""  # of the answer
    has_token: bool = False  # content, reasoning or a tool call
    has_answer: bool = False  # content or a tool call
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None

    @property
    def only_text(self) -> bool:
        """Whether it carries text of the answer and ends nothing."""
        return bool(self.text) and self.finish_reason is None and self.usage is None


def read_chunk(payload: bytes) -> Chunk:
    """Read one chunk, streamed (`delta`) or whole (`message`).

    A chunk with only a role, or with empty content, carries no token (vLLM and SGLang send one
    first). Reasoning counts as a token but not as an answer.

    Raises:
        ValueError: `payload` is not a JSON object.
    """
    data = _load(payload)
    if data.get("error"):
        return Chunk(error=words_of(data) or "no message")
    if "message" in data and "choices" not in data:
        reason = (data.get("done_reason") or "stop") if data.get("done") else None
        return _chunk(data, reason, _ollama_usage(data))
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    usage = _usage(data.get("usage"))
    if not isinstance(choice, dict):
        return Chunk(usage=usage)
    return _chunk(choice, choice.get("finish_reason"), usage)


def _chunk(choice: dict[str, Any], reason: Any, usage: Usage | None) -> Chunk:
    delta = choice.get("delta") or choice.get("message")
    if not isinstance(delta, dict):
        delta = {}
    text = delta.get("content") or choice.get("text") or ""
    calls = delta.get("tool_calls")
    called = isinstance(calls, list) and any(map(_names_or_argues, calls))
    thought = any(map(delta.get, THOUGHTS))
    return Chunk(
        text=text if isinstance(text, str) else "",
        has_token=bool(text) or called or thought,
        has_answer=bool(text) or called,
        finish_reason=reason if isinstance(reason, str) else None,
        usage=usage,
    )


def _load(payload: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        if b"\\u" not in payload:
            raise
        data = _with_half_characters(payload)
    if not isinstance(data, dict):
        raise ValueError("the chunk is not a JSON object")
    return data


def _with_half_characters(payload: bytes) -> Any:
    """Read JSON in which half of a surrogate pair stands alone; its other half is in the next
    chunk. orjson is right to refuse it, and the standard library takes it."""
    try:
        return json.loads(payload)
    except RecursionError:
        raise ValueError("the chunk is nested too deeply") from None


def _names_or_argues(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and bool(function.get("name") or function.get("arguments"))


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    return Usage(
        prompt_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
    )


def _ollama_usage(data: dict[str, Any]) -> Usage | None:
    if not data.get("done"):
        return None
    return Usage(_count(data, "prompt_eval_count"), _count(data, "eval_count"))


def _count(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= COUNT_MOST else None
