"""What a client says of one request, whatever it calls it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as a client reports it; times in seconds.

    `ttft_s` and `e2e_s` begin where the client says the request began. `gaps_s`: between the chunks
    that carry tokens, each one; None if the client does not keep chunks' times; then `tpot_s` is
    their mean, if it reports one. `sent_ns`: when it began, on the monotonic clock.
    """

    prompt: str
    ttft_s: float
    e2e_s: float
    gaps_s: tuple[float, ...] | None = None
    tpot_s: float | None = None
    sent_ns: int | None = None
