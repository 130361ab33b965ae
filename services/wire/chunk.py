"""Parse one JSON chunk of an answer: its text, usage, error and finish reason.

OpenAI's chunks have `choices`, Ollama's have `message` and `done`; some hold only usage. The events
of the Responses and the Messages API have a type. Errors are recognized by `_is_error`. JSON of any
other shape is not part of an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from services.ask import irregularities
from services.wire import anthropic_events, responses_events
from services.wire.content import Chunk
from services.wire.message import message_of_json
from services.wire.phases import phases_of
from services.wire.tool_calls import chat_parts
from services.wire.usage import Usage, groq_usage, ollama_usage, usage_of

REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")  # as engines name it
ANSWER_TYPES = ("text", "output_text", "refusal")  # types of content parts that the user sees
MEDIA_KEYS = ("audio", "images", "image_url", "image", "input_audio", "video_url")
MEDIA_FIELDS = ("data", "url", "transcript", "b64_json", "image_url")  # an id alone is not content
MEDIA_DEPTH = 4
# Fields whose value may say that the chunk is an error.
STATE_FIELDS = ("object", "type", "status", "status_code", "statusCode", "code")
ERROR_FIELDS = frozenset({"error", "errors", "error_code", "success", *STATE_FIELDS} - {"object"})
STATE_CHARACTERS = 80  # of a state field, which are searched
MAX_CHOICES = 16  # of one chunk that are read
_FAILURE = re.compile(r"abort|error|cancel|fail|timeout|insufficient", re.IGNORECASE)
_PING = re.compile(
    rb"[\W_]*(?:ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|(?:\w+ )?processing|null)\b"
    rb"[^a-z]{0,80}",
    re.IGNORECASE,
)


def read_chunk(payload: bytes | bytearray, name: bytes = b"") -> Chunk:
    """Read one chunk, streamed (`delta`) or whole (`message`). `name` is that of its event: some
    servers give its type only there.

    A chunk with only a role, or with empty content, carries no token (vLLM and SGLang send one
    first). Reasoning counts as a token but not as an answer.

    Raises:
        ValueError: `payload` is neither a JSON object nor an error in a list.
    """
    data = load_object(payload)
    choices = data.get("choices")
    has_choices = isinstance(choices, list)
    if has_choices and choices and not data.get("error") and (text := _only_text(data, choices[0])):
        return Chunk(text, True, True)  # nearly every chunk
    chunk = _read_other(data, choices if has_choices else None, name)
    if chunk.finish_reason or chunk.usage is not None:  # the last ones
        phases = phases_of(data)
        return chunk if phases is None else chunk._replace(phases=phases)
    return chunk


def _read_other(data: Mapping[str, Any], choices: list[Any] | None, name: bytes) -> Chunk:
    """Read a chunk that holds more than text; `choices` is None if it has none."""
    has_choices = choices is not None
    if not has_choices and (event := _read_typed(data, name)):
        return event
    if _is_error(data):
        return Chunk(error=message_of_json(data) or "no message")
    if has_choices and choices:
        return _main_choice(data, choices)
    if has_choices:
        return Chunk(usage=usage_of(data.get("usage")) or groq_usage(data))
    message = data.get("message")
    if isinstance(message, dict) and "done" in data:
        reason = (data.get("done_reason") or "stop") if data.get("done") else None
        return _read_delta({}, message, reason, ollama_usage(data))
    if isinstance(data.get("usage"), dict) or "x_groq" in data:
        return Chunk(usage=usage_of(data.get("usage")) or groq_usage(data))
    kind = data.get("type")
    if not data or (isinstance(kind, str) and is_ping(kind.encode("utf-8", "replace"))):
        return Chunk(irregularity=irregularities.PING)
    return Chunk(irregularity=irregularities.UNKNOWN_CHUNK)


def load_object(payload: bytes | bytearray) -> dict[str, Any]:
    """Return the JSON object in `payload`, or the error object that is first in a list.

    Raises:
        ValueError: it holds neither.
    """
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        data = _load_leniently(payload)
    if isinstance(data, list) and data and isinstance(data[0], dict) and data[0].get("error"):
        data = data[0]
    if not isinstance(data, dict):
        raise ValueError("the chunk is not a JSON object")
    return data


def is_whole(payload: bytes) -> bool:
    """Return whether `payload` is the complete data of an event, not only its beginning."""
    data = payload.strip()
    if not data or data == b"[DONE]" or is_ping(data):
        return True
    if data[:1] != b"{" or data[-1:] != b"}":
        return False
    try:
        load_object(data)
    except ValueError:
        return False
    return True


def is_ping(payload: bytes) -> bool:
    """Return whether `payload` is only a keep-alive."""
    return len(payload) <= 120 and _PING.fullmatch(payload) is not None


def _load_leniently(payload: bytes | bytearray) -> Any:
    """Parse invalid JSON that servers do send: half of a surrogate pair, whose other half is in the
    next chunk; NaN and Infinity, which Python writes for some logprobs."""
    try:
        return json.loads(payload.decode())
    except RecursionError:
        raise ValueError("the chunk is nested too deeply") from None


def _read_typed(data: Mapping[str, Any], name: bytes) -> Chunk | None:
    """Read an event of the Responses or the Messages API, or a whole answer; None for others."""
    kind = data.get("type") or name.decode("latin-1")
    if not isinstance(kind, str):
        return None
    if reader := anthropic_events.READERS.get(kind):
        return reader(data)
    if kind.startswith(responses_events.PREFIX) and data.get("object") != "response":
        return responses_events.read_response_event(kind, data)
    if data.get("object") == "response" and "output" in data:
        return responses_events.read_response(data)
    if data.get("type") == "message" and isinstance(data.get("content"), list):
        return anthropic_events.read_message(data)
    return None


# --- errors inside a 200 -----------------------------------------------------------------------


def _is_error(data: Mapping[str, Any]) -> bool:
    if data.get("object") == "chat.completion.chunk" and ERROR_FIELDS.isdisjoint(data):
        return False  # most chunks
    return bool(
        data.get("error")
        or data.get("errors")
        or data.get("error_code")
        or data.get("success") is False
        or any(_is_failure_state(data.get(name)) for name in STATE_FIELDS)
    )


def _is_failure_state(state: Any) -> bool:
    if isinstance(state, str):
        return bool(_FAILURE.search(state[:STATE_CHARACTERS]))
    return isinstance(state, int) and state >= 400


def _failure(reason: str | None, error: Any, details: Any) -> str | None:
    """Return the error message of a choice that has an error or a finish_reason that means failure;
    None for others."""
    if not (reason or error):
        return None
    message = next(filter(None, map(message_of_json, filter(None, (error, details)))), "")
    if reason and _FAILURE.search(reason):
        return f"finish_reason {reason}" + (f": {message}" if message else "")
    return (message or "no message") if error else None


# --- what a chunk carries ----------------------------------------------------------------------


def _only_text(data: Mapping[str, Any], choice: Any) -> str:
    """Return the text of a chunk that has only text; "" for any other."""
    if type(choice) is dict and not ("error" in choice or data.get("usage")):
        delta = choice.get("delta")
        if choice.get("finish_reason") is None and type(delta) is dict:
            text = delta.get("content")
            return text if type(text) is str else ""
    return ""


def _main_choice(data: Mapping[str, Any], choices: list[Any]) -> Chunk:
    """Return the choice that counts: one with an error, else one with a token, else the first."""
    first = _read_choice(data, choices[0])
    if len(choices) == 1:
        return first
    chunks = [first, *(_read_choice(data, choice) for choice in choices[1:MAX_CHOICES])]
    return max(chunks, key=lambda chunk: (chunk.error is not None, chunk.has_token))


def _read_choice(data: Mapping[str, Any], choice: Any) -> Chunk:
    if not isinstance(choice, dict):
        return Chunk(irregularity=irregularities.UNKNOWN_CHUNK)
    delta, reason = choice.get("delta"), choice.get("finish_reason")
    counts = usage_of(data.get("usage")) or usage_of(choice.get("usage")) or groq_usage(data)
    if delta is not None or "delta" in choice:
        return _read_delta(choice, {} if delta is None else delta, reason, counts)
    message = choice.get("message")
    chunk = _read_delta(choice, {} if message is None else message, reason, counts)
    return chunk._replace(whole=message is not None and reason is not None)


def _read_delta(choice: Mapping[str, Any], delta: Any, reason: Any, usage: Usage | None) -> Chunk:
    if not isinstance(delta, dict):
        return Chunk(irregularity=irregularities.UNKNOWN_CHUNK)
    content = delta.get("content")
    text, reasoning = _split_content(content)
    text = text or _text(delta.get("refusal")) or _text(choice.get("text"))
    has_media = any(map(_has_media, (delta, *(content if isinstance(content, list) else ()))))
    text = text or _transcript(delta.get("audio"))
    reasoning = reasoning or any(map(delta.get, REASONING_FIELDS))
    tool_calls = delta.get("tool_calls")
    has_call = isinstance(tool_calls, list) and any(map(_has_call, tool_calls))
    calls = chat_parts(tool_calls) if has_call else ()
    old = {"index": 0, "function": delta.get("function_call")}  # the format before `tool_calls`
    if not has_call and _has_call(old):
        has_call, calls = True, chat_parts([old])
    details = reason if isinstance(reason, dict) else {}  # SGLang's format
    name = _text(details.get("type") if details else reason) or None
    return Chunk(
        text=text,
        has_token=bool(text) or has_call or has_media or reasoning,
        has_answer=bool(text) or has_call or has_media,
        finish_reason=name,
        usage=usage,
        error=_failure(name, choice.get("error"), details),
        calls=calls,
    )


def _split_content(content: Any) -> tuple[str, bool]:
    """Return the text of the answer, and whether there is reasoning; both may come in parts."""
    if not isinstance(content, list):
        return _text(content), False
    parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in content]
    known = [part for part in parts if isinstance(part, dict)]
    answers = [part for part in known if part.get("type", "text") in ANSWER_TYPES]
    text = "".join(_text(part.get("text")) or _text(part.get("refusal")) for part in answers)
    reasoning_texts = (part.get(name) for part in known for name in (*REASONING_FIELDS, "text"))
    return text, any(map(_has_text, reasoning_texts)) and not text


def _has_text(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(part, dict) and bool(part.get("text")) for part in value)
    return bool(value) and isinstance(value, str)


def _has_media(part: Any) -> bool:
    """Whether an answer, or a part of one, holds audio, an image or a video."""
    return isinstance(part, dict) and any(
        _has_media_data(part.get(n), MEDIA_DEPTH) for n in MEDIA_KEYS
    )


def _has_media_data(value: Any, depth: int) -> bool:
    if depth and isinstance(value, list):
        return any(_has_media_data(each, depth - 1) for each in value)
    if depth and isinstance(value, dict):
        return any(_has_media_data(value.get(name), depth - 1) for name in MEDIA_FIELDS)
    return isinstance(value, str) and bool(value)


def _transcript(audio: Any) -> str:
    return _text(audio.get("transcript")) if isinstance(audio, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _has_call(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and bool(function.get("name") or function.get("arguments"))
