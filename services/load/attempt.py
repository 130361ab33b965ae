"""The outcome of a request's attempts: its measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.ask.measurement import Measurement, Status
from services.base.redact import without_secrets
from services.base.surrogates import join_surrogates
from services.wire.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts to send a request so far; see `Measurement`."""

    attempts: int = 1
    first_error_class: str | None = None
    wait_s: float = 0.0

    def after(self, error_class: str | None, wait_s: float) -> Tries:
        """Return the tries with one more failed attempt and the wait after it."""
        first = self.first_error_class or error_class
        return Tries(self.attempts + 1, first, self.wait_s + wait_s)


ONCE = Tries()


def measurement_of(
    exchange: Exchange,
    repeat: int,
    index: int,
    due_ns: int,
    began_ns: int,
    secrets: tuple[str, ...] = (),
    free_ns: int = 0,
    tries: Tries = ONCE,
) -> Measurement:
    """Convert an exchange to a measurement, in seconds since the repeat began. The secrets are
    removed from the answer, should the server repeat them."""

    def since(stamp: int | None) -> float | None:
        return None if stamp is None else (stamp - began_ns) / 1e9

    status: Status = "failed" if exchange.error_class else "ok"
    usage, phases = exchange.usage, exchange.phases
    counted = exchange.has_usage and usage.output_tokens is not None
    return Measurement(
        repeat=repeat,
        index=index,
        status="cancelled" if exchange.cancelled else status,
        t_due=(due_ns - began_ns) / 1e9,
        t_send=since(exchange.sent),
        t_first=since(exchange.first),
        t_answer=since(exchange.answered),
        t_last=since(exchange.last),
        t_end=since(exchange.ended),
        token_times=tuple((stamp - began_ns) / 1e9 for stamp in exchange.token_times),
        prompt_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cached_tokens=usage.cached_tokens,
        token_source="usage" if counted else "unknown",
        error_class=exchange.error_class,
        error=exchange.error,
        http_status=exchange.http_status,
        finish_reason=exchange.finish_reason,
        connect_s=exchange.connect_s,
        coalesced_reads=exchange.coalesced,
        attempts=tries.attempts,
        first_error_class=tries.first_error_class,
        retry_wait_s=tries.wait_s if tries.attempts > 1 else None,
        cap_wait_s=(free_ns - due_ns) / 1e9 if free_ns > due_ns else None,
        server_queue_s=phases.queue_s,
        load_s=phases.load_s,
        prefill_s=phases.prefill_s,
        answer=without_secrets(exchange.answer, secrets),
    )


def tool_calls_of(exchange: Exchange, secrets: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """Return the tool calls in an answer, in OpenAI's format and without the secrets; None if there
    are none."""
    if exchange.tool_calls is None:
        return None
    calls = exchange.tool_calls.whole()
    for call in calls:
        function = call["function"]
        call["id"] = without_secrets(join_surrogates(call["id"]), secrets)
        for name, text in function.items():
            function[name] = without_secrets(join_surrogates(text), secrets)
    return calls or None
