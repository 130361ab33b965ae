"""How far off a client is: what it says of each request, against what the server's log says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.seen import Seen
from services.load.reference import log_key


class Disagreement(ValueError):
    """A client's results cannot be matched with the log; the message is a sentence."""


@dataclass
class Errors:
    """Absolute errors in seconds: of each request's TTFT and E2E, of each gap between chunks."""

    ttft: list[float] = field(default_factory=list)
    e2e: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    mean_gap: list[float] = field(default_factory=list)  # for a client that keeps no single gaps

    def add(self, other: Errors) -> None:
        self.ttft += other.ttft
        self.e2e += other.e2e
        self.gap += other.gap
        self.mean_gap += other.mean_gap


def compare(seen: Iterable[Seen], log: Mapping[str, Any]) -> Errors:
    """Return the errors of a client's results.

    The truth of TTFT is the first token's write − the request's arrival in the server's kernel; of
    E2E, the last token's write − that arrival. For a log without arrivals (TLS), the client's own
    time of sending is used instead.

    Raises:
        Disagreement: a request that the server never received, or one with another number of
            chunks.
    """
    errors = Errors()
    for one in seen:
        did = log.get(log_key(one.prompt))
        if did is None:
            raise Disagreement("it reports a request that the server never had")
        times = did["times"]
        began = did.get("arrived", one.sent_ns)
        if began is None:
            raise Disagreement("neither the log nor the client says when the request left")
        errors.ttft.append(abs(one.ttft_s - (times[0] - began) / 1e9))
        errors.e2e.append(abs(one.e2e_s - (times[-1] - began) / 1e9))
        if one.gaps_s is not None:
            if len(one.gaps_s) != len(times) - 1:
                raise Disagreement(f"it saw {len(one.gaps_s) + 1} chunks of {len(times)}")
            truth = ((later - t) / 1e9 for t, later in pairwise(times))
            errors.gap += [abs(gap - true) for gap, true in zip(one.gaps_s, truth, strict=True)]
        elif one.tpot_s is not None and len(times) > 1:
            true = (times[-1] - times[0]) / 1e9 / (len(times) - 1)
            errors.mean_gap.append(abs(one.tpot_s - true))
    return errors
