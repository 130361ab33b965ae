"""How long a request waited and was prefilled, if the server reports it, under whatever name.

Servers report it in the last chunk of an answer, so nothing here is called for the others. What a
server does not report stays None; nothing is inferred from other values:

- vLLM with `--enable-per-request-metrics`: its time to first token is measured from when the
  request was scheduled, so it is the prefill (docs/features/per_request_metrics.md, vLLM #46768).
- llama.cpp: the prefill; not the wait for a slot (tools/server, `result_timings`).
- Ollama: loading the model and the prefill. The rest of its `total_duration` is not only waiting:
  newer versions leave the sampling out of `eval_duration` (runner/ollamarunner).
- Groq, in chunks beside `x_groq` and whole answers in `usage`; Cerebras, in `time_info`.

SGLang's OpenAI API reports none of it (#36678), and TGI only in headers of answers that are not
streamed, which have no time to first token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_S = 1e6  # longer phases are treated as invalid


class Phases(NamedTuple):
    """The seconds of each phase before the first token, as the server reports them; None: not
    reported."""

    queue_s: float | None = None
    load_s: float | None = None  # loading the model, on servers that load it on demand
    prefill_s: float | None = None


class _Source(NamedTuple):
    """Where a server reports phases: the keys that lead there, and its names for the fields of
    Phases ("": none)."""

    path: tuple[str, ...]
    queue: str
    load: str
    prefill: str
    unit_s: float


def phases_of(data: Mapping[str, Any]) -> Phases | None:
    """Return the phases in the last chunk of an answer, or None."""
    if MARKS.isdisjoint(data):
        return None
    for source in SOURCES:
        holder: Any = data
        for key in source.path:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and (source.prefill in holder or source.queue in holder):
            names = (source.queue, source.load, source.prefill)
            phases = Phases(*(_seconds(holder.get(name), source.unit_s) for name in names))
            if phases != Phases():
                return phases
    return None


def _seconds(value: Any, unit_s: float) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value * unit_s if 0 <= value <= MAX_S / unit_s else None


SOURCES = (
    _Source(("metrics",), "queue_time_ms", "", "time_to_first_token_ms", 1e-3),  # vLLM
    _Source(("timings",), "", "", "prompt_ms", 1e-3),  # llama.cpp
    _Source((), "", "load_duration", "prompt_eval_duration", 1e-9),  # Ollama
    _Source(("x_groq", "usage"), "queue_time", "", "prompt_time", 1.0),
    _Source(("usage",), "queue_time", "", "prompt_time", 1.0),  # Groq, if not streamed
    _Source(("time_info",), "queue_time", "", "prompt_time", 1.0),  # Cerebras
)
# Every chunk that reports phases has one of these keys.
MARKS = frozenset({"metrics", "timings", "prompt_eval_duration", "x_groq", "time_info"})
