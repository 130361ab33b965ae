"""What servers say of their queue and their prefill: a recorded or documented sample of each."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import pytest

from services.wire.exchange import Exchange
from services.wire.phases import Phases, phases_of

DATA = Path(__file__).resolve().parents[2] / "data" / "phases"
LLAMA_CPP = {  # prompt_ms of each
    "llamacpp_chat.sse": 1.145356,
    "llamacpp_chat_without_usage.sse": 0.094655,
    "llamacpp_completions.sse": 0.142668,
    "llamacpp_responses.sse": 0.076099,
}
VLLM = Phases(queue_s=0.0123, prefill_s=0.0852)
GROQ = Phases(queue_s=0.061348671, prefill_s=0.000211569)
REPORTED: dict[str, Phases] = {
    **{name: Phases(prefill_s=seconds) for name, seconds in LLAMA_CPP.items()},
    "llamacpp_messages.sse": Phases(),
    "vllm_chat.sse": VLLM,
    "vllm_responses.sse": VLLM,
    "vllm_chat_unattributable.sse": Phases(),
    "groq_chat.sse": GROQ,
    "groq_chat_whole.json": GROQ,
    "cerebras_chat.sse": Phases(queue_s=0.000073161, prefill_s=0.0010744798888888889),
    "ollama_chat.ndjson": Phases(load_s=6.338219291, prefill_s=0.130079),
}
TYPES = {
    ".sse": "text/event-stream",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
}


def read(name: str) -> Exchange:
    """Return the exchange that answers with a sample, each of its events in a read of its own."""
    body = (DATA / name).read_bytes()
    lines = body.splitlines(keepends=True) if name.endswith("ndjson") else [body]
    events = body.split(b"\n\n") if name.endswith("sse") else lines
    exchange = Exchange(lambda: None)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {TYPES[Path(name).suffix]}\r\n"
    exchange.read(0, f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    for stamp, event in enumerate(events):
        exchange.read(stamp, event + (b"\n\n" if name.endswith("sse") else b""))
    return exchange


def numbers(phases: Phases) -> list[float]:
    return [nan if seconds is None else seconds for seconds in phases]


@pytest.mark.parametrize("name", REPORTED)
def test_what_a_server_reports_is_read_and_the_rest_stays_empty(name: str) -> None:
    exchange = read(name)
    assert exchange.error is None
    assert numbers(exchange.phases) == pytest.approx(numbers(REPORTED[name]), nan_ok=True)


def test_every_sample_file_has_an_expected_result() -> None:
    assert {file.name for file in DATA.iterdir()} - {"README.md"} == set(REPORTED)


NONSENSE: list[Any] = [{}, None, [], "x", *({"queue_time_ms": v} for v in (None, True, -1, "12"))]


@pytest.mark.parametrize("metrics", [*NONSENSE, {"queue_time_ms": 1e300}, {"queue_time_ms": nan}])
def test_invalid_phases_are_unknown(metrics: Any) -> None:
    assert phases_of({"metrics": metrics, "x_groq": metrics, "usage": metrics}) is None


def test_a_server_that_did_not_wait_reports_zero() -> None:
    assert phases_of({"metrics": {"queue_time_ms": 0}}) == Phases(queue_s=0.0)
