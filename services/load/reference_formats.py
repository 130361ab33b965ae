"""The API formats of the reference server: the form of requests and answers in each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

EVENTS = "text/event-stream"
LINES = "application/x-ndjson"
Request = dict[str, Any]
Usage = tuple[int, int]  # tokens of the prompt and of the answer


class Phases(NamedTuple):
    """Nanoseconds that a request waited, was prefilled, and was decoded after its first token."""

    queue: int
    prefill: int
    decode: int


CHUNK = {"object": "chat.completion.chunk"}  # without it, aiperf takes a chunk for no answer
CHAT = (
    b'data: {"object":"chat.completion.chunk","choices":'
    b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
)
TEXT = b'data: {"choices":[{"index":0,"text":"%b","finish_reason":null}]}\n\n'
RESPONSE = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"sequence_number":%d,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"%b",'
    b'"logprobs":[]}\n\n'
)
MESSAGE = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n'
)
LINE = b'{"model":"ref","message":{"role":"assistant","content":"%b"},"done":false}\n'


@dataclass(frozen=True, slots=True)
class Format:
    """`event` makes an event from a text and its number; `first` and `last` make what comes before
    and after these events, `last` with the phases if the format has fields for them."""

    event: Callable[[int, bytes], bytes]
    last: Callable[[Usage, Phases | None], list[bytes]]
    prompt: Callable[[Request], Any] = lambda request: request["messages"][-1]["content"]
    limit: Callable[[Request], int | None] = lambda request: request.get("max_tokens")
    first: bytes = b""
    content_type: str = EVENTS


def data(value: Any) -> bytes:
    """Return an event without a name."""
    return b"data: %b\n\n" % json.dumps(value).encode()


def typed(kind: str, **more: Any) -> bytes:
    """Return an event with a name, which its data repeats."""
    return f"event: {kind}\n".encode() + data({"type": kind, **more})


def _chat_last(usage: Usage, phases: Phases | None) -> list[bytes]:
    reason = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    return [data(reason), data(openai_end(usage, phases)), b"data: [DONE]\n\n"]


def openai_end(usage: Usage, phases: Phases | None) -> Request:
    """Return the last chunk of chat completions and completions."""
    return {"choices": [], "usage": openai_usage(usage), **_metrics(phases)}


def _metrics(phases: Phases | None) -> Request:
    """Return the phases as vLLM reports them with `--enable-per-request-metrics`: its time to first
    token counts from when the request was scheduled."""
    if phases is None:
        return {}
    metrics = {
        "time_to_first_token_ms": phases.prefill / 1e6,
        "generation_time_ms": phases.decode / 1e6,
        "queue_time_ms": phases.queue / 1e6,
    }
    return {"metrics": metrics}


def openai_usage(usage: Usage) -> dict[str, int]:
    """Return the usage of chat completions and completions."""
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1]}


def _completions_last(usage: Usage, phases: Phases | None) -> list[bytes]:
    reason = {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]}
    return [data(reason), data(openai_end(usage, phases)), b"data: [DONE]\n\n"]


def _response_last(usage: Usage, phases: Phases | None) -> list[bytes]:
    response = {
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
        **_metrics(phases),
    }
    return [
        typed("response.output_text.done", output_index=0, text=""),
        typed("response.incomplete", response=response),
    ]


def _message_last(usage: Usage, phases: Phases | None) -> list[bytes]:
    counts = {"input_tokens": usage[0], "output_tokens": usage[1]}
    return [
        typed("content_block_stop", index=0),
        typed("message_delta", delta={"stop_reason": "max_tokens"}, usage=counts),
        typed("message_stop"),
    ]


def _lines_last(usage: Usage, phases: Phases | None) -> list[bytes]:
    counts = {"prompt_eval_count": usage[0], "eval_count": usage[1]}
    durations: Request = {}
    if phases is not None:  # Ollama's, whose total counts from the request's arrival
        durations = {
            "total_duration": sum(phases),
            "load_duration": 0,
            "prompt_eval_duration": phases.prefill,
            "eval_duration": phases.decode,
        }
    end = {"message": {"content": ""}, "done": True, "done_reason": "length", **counts, **durations}
    return [json.dumps(end).encode() + b"\n"]


_STARTED = typed("message_start", message={"type": "message", "role": "assistant", "content": []})
FORMATS: dict[str, Format] = {
    "/v1/chat/completions": Format(
        lambda _, text: CHAT % text,
        _chat_last,
        first=data({**CHUNK, "choices": [{"delta": {"role": "assistant", "content": ""}}]}),
    ),
    "/v1/completions": Format(
        lambda _, text: TEXT % text, _completions_last, lambda request: request["prompt"]
    ),
    "/v1/responses": Format(
        lambda number, text: RESPONSE % (number, text),
        _response_last,
        lambda request: request["input"][-1]["content"],
        lambda request: request.get("max_output_tokens"),
        typed("response.created", response={"status": "in_progress", "output": []}),
    ),
    "/v1/messages": Format(
        lambda _, text: MESSAGE % text,
        _message_last,
        first=_STARTED
        + typed("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    ),
    "/api/chat": Format(
        lambda _, text: LINE % text,
        _lines_last,
        limit=lambda request: request.get("options", {}).get("num_predict"),
        content_type=LINES,
    ),
}
