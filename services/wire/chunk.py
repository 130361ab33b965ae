"""One JSON chunk of a chat completion: does it carry a token, which, and what does it end?

OpenAI's chunks have `choices`, Ollama's own `message` and `done`; some hold usage alone, and an
error has one of the marks of `_is_error`. JSON in any other shape is no part of an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from services.ask import oddities
from services.wire.message import words_of

THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # what engines call it
ANSWERS = ("text", "output_text", "refusal")  # types of a part that is shown to who asked
MEDIA = ("audio", "images", "image_url", "image", "input_audio", "video_url")  # what else is shown
HELD = ("data", "url", "transcript", "b64_json", "image_url")  # of it; an id alone shows nothing
MEDIA_DEPTH = 4
STATES = ("object", "type", "status", "status_code", "statusCode", "code")  # of an error, perhaps
MARKS = frozenset({"error", "errors", "error_code", "success", *STATES} - {"object"})
STATE_CHARACTERS = 80  # of one that are looked at
CHOICES_MOST = 16  # of one chunk that are looked at
COUNT_MOST = 2**31 - 1  # no answer has more tokens; a larger count is nonsense
_FAILURE = re.compile(r"abort|error|cancel|fail|timeout|insufficient", re.IGNORECASE)
_PING = re.compile(
    rb"[\W_]*(?:ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|(?:\w+ )?processing|null)\b"
    rb"[^a-z]{0,80}",
    re.IGNORECASE,
)


class Usage(NamedTuple):
    """Token counts as the server reports them; None: it did not say."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None

    def after(self, earlier: Usage) -> Usage:
        """Return each count as it was last said: cumulative ones grow, and zeros may follow."""
        both = zip(self, earlier, strict=True)
        return Usage(*(new or (new if old is None else old) for new, old in both))


class Chunk(NamedTuple):
    text: str = ""  # of the answer
    has_token: bool = False  # content, reasoning, a refusal, a tool call, audio or an image
    has_answer: bool = False  # the same without reasoning
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None
    whole: bool = False  # it holds the whole answer, as of a server that does not stream
    oddity: str = ""  # of `oddities`: a chunk that means nothing

    @property
    def only_text(self) -> bool:
        """Whether it carries text of the answer and ends nothing."""
        return bool(self.text) and self.finish_reason is None and self.usage is None


def read_chunk(payload: bytes | bytearray) -> Chunk:
    """Read one chunk, streamed (`delta`) or whole (`message`).

    A chunk with only a role, or with empty content, carries no token (vLLM and SGLang send one
    first). Reasoning counts as a token but not as an answer.

    Raises:
        ValueError: `payload` is neither a JSON object nor an error in a list.
    """
    data = load(payload)
    choices = data.get("choices")
    listed = isinstance(choices, list)
    if listed and choices and not data.get("error") and (text := _only_text(data, choices[0])):
        return Chunk(text, True, True)  # nearly every chunk
    if _is_error(data):
        return Chunk(error=words_of(data) or "no message")
    if listed and choices:
        return _foremost(data, choices)
    if listed:
        return Chunk(usage=_usage(data.get("usage")) or _groq_usage(data))
    message = data.get("message")
    if isinstance(message, dict) and "done" in data:
        reason = (data.get("done_reason") or "stop") if data.get("done") else None
        return _chunk({}, message, reason, _ollama_usage(data))
    if isinstance(data.get("usage"), dict) or "x_groq" in data:
        return Chunk(usage=_usage(data.get("usage")) or _groq_usage(data))
    kind = data.get("type")
    if not data or (isinstance(kind, str) and is_ping(kind.encode("utf-8", "replace"))):
        return Chunk(oddity=oddities.PING)
    return Chunk(oddity=oddities.UNKNOWN_CHUNK)


def load(payload: bytes | bytearray) -> dict[str, Any]:
    """Return the object that `payload` holds; of a list, the error that is its first entry.

    Raises:
        ValueError: it holds neither.
    """
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        data = _leniently(payload)
    if isinstance(data, list) and data and isinstance(data[0], dict) and data[0].get("error"):
        data = data[0]
    if not isinstance(data, dict):
        raise ValueError("the chunk is not a JSON object")
    return data


def is_whole(payload: bytes) -> bool:
    """Return whether `payload` is an event's data by itself, not the beginning of some."""
    data = payload.strip()
    if not data or data == b"[DONE]" or is_ping(data):
        return True
    if data[:1] != b"{" or data[-1:] != b"}":
        return False
    try:
        load(data)
    except ValueError:
        return False
    return True


def is_ping(payload: bytes) -> bool:
    """Return whether `payload` says no more than that the server is still there."""
    return len(payload) <= 120 and _PING.fullmatch(payload) is not None


def _leniently(payload: bytes | bytearray) -> Any:
    """Read what orjson is right to refuse and servers send: half of a surrogate pair, whose other
    half is in the next chunk; NaN and Infinity, as Python writes the logprobs of what cannot be."""
    try:
        return json.loads(payload.decode())
    except RecursionError:
        raise ValueError("the chunk is nested too deeply") from None


# --- errors inside a 200 -----------------------------------------------------------------------


def _is_error(data: Mapping[str, Any]) -> bool:
    if data.get("object") == "chat.completion.chunk" and MARKS.isdisjoint(data):
        return False  # as most of all chunks
    return bool(
        data.get("error")
        or data.get("errors")
        or data.get("error_code")
        or data.get("success") is False
        or any(_refuses(data.get(name)) for name in STATES)
    )


def _refuses(state: Any) -> bool:
    if isinstance(state, str):
        return bool(_FAILURE.search(state[:STATE_CHARACTERS]))
    return isinstance(state, int) and state >= 400


def _failure(reason: str | None, error: Any, said: Any) -> str | None:
    """Return what a choice says that has an error, or a finish_reason that is no end but a failure;
    None of others."""
    if not (reason or error):
        return None
    words = next(filter(None, map(words_of, filter(None, (error, said)))), "")
    if reason and _FAILURE.search(reason):
        return f"finish_reason {reason}" + (f": {words}" if words else "")
    return (words or "no message") if error else None


# --- what a chunk carries ----------------------------------------------------------------------


def _only_text(data: Mapping[str, Any], choice: Any) -> str:
    """Return the text of a chunk that has nothing else to say; "" for any other."""
    if type(choice) is dict and not ("error" in choice or data.get("usage")):
        delta = choice.get("delta")
        if choice.get("finish_reason") is None and type(delta) is dict:
            text = delta.get("content")
            return text if type(text) is str else ""
    return ""


def _foremost(data: Mapping[str, Any], choices: list[Any]) -> Chunk:
    """Return what counts of the choices of one chunk: a failure, a token, or the first."""
    first = _openai(data, choices[0])
    if len(choices) == 1:
        return first
    chunks = [first, *(_openai(data, choice) for choice in choices[1:CHOICES_MOST])]
    return max(chunks, key=lambda chunk: (chunk.error is not None, chunk.has_token))


def _openai(data: Mapping[str, Any], choice: Any) -> Chunk:
    if not isinstance(choice, dict):
        return Chunk(oddity=oddities.UNKNOWN_CHUNK)
    delta, reason = choice.get("delta"), choice.get("finish_reason")
    counts = _usage(data.get("usage")) or _usage(choice.get("usage")) or _groq_usage(data)
    if delta is not None or "delta" in choice:
        return _chunk(choice, {} if delta is None else delta, reason, counts)
    message = choice.get("message")
    chunk = _chunk(choice, {} if message is None else message, reason, counts)
    return chunk._replace(whole=message is not None and reason is not None)


def _chunk(choice: Mapping[str, Any], delta: Any, reason: Any, usage: Usage | None) -> Chunk:
    if not isinstance(delta, dict):
        return Chunk(oddity=oddities.UNKNOWN_CHUNK)
    content = delta.get("content")
    text, thought = _content(content)
    text = text or _text(delta.get("refusal")) or _text(choice.get("text"))
    shown = any(map(_shows, (delta, *(content if isinstance(content, list) else ()))))
    text = text or _transcript(delta.get("audio"))
    thought = thought or any(map(delta.get, THOUGHTS))
    calls = delta.get("tool_calls")
    called = isinstance(calls, list) and any(map(_names_or_argues, calls))
    called = called or _names_or_argues({"function": delta.get("function_call")})
    said = reason if isinstance(reason, dict) else {}  # SGLang's own
    name = _text(said.get("type") if said else reason) or None
    return Chunk(
        text=text,
        has_token=bool(text) or called or shown or thought,
        has_answer=bool(text) or called or shown,
        finish_reason=name,
        usage=usage,
        error=_failure(name, choice.get("error"), said),
    )


def _content(content: Any) -> tuple[str, bool]:
    """Return the text of an answer, and whether there is a thought; both may come in parts."""
    if not isinstance(content, list):
        return _text(content), False
    parts = [{"type": "text", "text": p} if isinstance(p, str) else p for p in content]
    known = [part for part in parts if isinstance(part, dict)]
    answers = [part for part in known if part.get("type", "text") in ANSWERS]
    text = "".join(_text(part.get("text")) or _text(part.get("refusal")) for part in answers)
    thoughts = (part.get(name) for part in known for name in (*THOUGHTS, "text"))
    return text, any(map(_says, thoughts)) and not text


def _says(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(part, dict) and bool(part.get("text")) for part in value)
    return bool(value) and isinstance(value, str)


def _shows(part: Any) -> bool:
    """Whether an answer or a part of one has sound or a picture."""
    return isinstance(part, dict) and any(_held(part.get(n), MEDIA_DEPTH) for n in MEDIA)


def _held(value: Any, depth: int) -> bool:
    if depth and isinstance(value, list):
        return any(_held(each, depth - 1) for each in value)
    if depth and isinstance(value, dict):
        return any(_held(value.get(name), depth - 1) for name in HELD)
    return isinstance(value, str) and bool(value)


def _transcript(audio: Any) -> str:
    return _text(audio.get("transcript")) if isinstance(audio, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _names_or_argues(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and bool(function.get("name") or function.get("arguments"))


# --- counts ------------------------------------------------------------------------------------


def _usage(usage: Any) -> Usage | None:
    """Return what `usage` counts; None where it counts nothing, as `{}` or zeros do."""
    if not isinstance(usage, dict):
        return None
    prompt, output, reasoning, cached = (_first(usage, names) for names in COUNTS)
    if not (prompt or output or reasoning or cached):
        return None
    return Usage(prompt or None, output or None, reasoning, cached)  # neither is ever empty


def _groq_usage(data: Mapping[str, Any]) -> Usage | None:
    beside = data.get("x_groq")
    return _usage(beside.get("usage")) if isinstance(beside, dict) else None


def _ollama_usage(data: Mapping[str, Any]) -> Usage | None:
    return _usage(data) if data.get("done") else None


def _first(usage: Mapping[str, Any], names: tuple[tuple[str, str], ...]) -> int | None:
    """Return the first count that there is in one of these places: (of which object, name)."""
    for holder, name in names:
        found = _count(usage.get(holder) if holder else usage, name)
        if found is not None:
            return found
    return None


def _count(data: Any, key: str) -> int | None:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= COUNT_MOST else None


# Under which names servers report each count of Usage: of an object inside, or by themselves.
COUNTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("", "prompt_tokens"), ("", "input_tokens"), ("", "prompt_eval_count")),
    (("", "completion_tokens"), ("", "output_tokens"), ("", "eval_count")),
    (
        ("completion_tokens_details", "reasoning_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
        ("", "reasoning_tokens"),
    ),
    (
        ("prompt_tokens_details", "cached_tokens"),
        ("input_tokens_details", "cached_tokens"),
        ("", "prompt_cache_hit_tokens"),  # DeepSeek
        ("", "cached_tokens"),  # Moonshot
        ("", "cache_read_input_tokens"),  # Anthropic
        ("", "prompt_eval_cached_count"),  # Ollama
    ),
)
