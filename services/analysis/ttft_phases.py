"""Where the time to the first token goes: what the server reports about its queue, loading the
model and the prefill, and the rest.

Parts of a mean add up and parts of a median do not, so shares are of means, over the requests whose
parts are known. The rest is the network and whatever the server does not count (HTTP, templates,
tokenizing); if it does not report its queue, the rest includes the queue, too, and there is no
number for either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.analysis.metric_arrays import metric_array
from services.ask.measurement import Measurement
from services.ask.measurements import Floats, as_table

QUEUE, LOAD, PREFILL, NETWORK, REST = "queue", "load", "prefill", "network", "rest"
LABELS = {
    QUEUE: "Server queue",
    LOAD: "Model load",
    PREFILL: "Prefill",
    NETWORK: "Network and other",
    REST: "Queue, network and other",
}
BEFORE = "Client queue, before sending"  # not part of TTFT
TOLERANCE_S, TOLERANCE = 0.001, 0.05  # the parts may exceed the whole by this: clocks differ


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of TTFT; `share` is its mean divided by the mean TTFT."""

    name: str  # a key of LABELS
    median_s: float
    mean_s: float
    share: float


@dataclass(frozen=True, slots=True)
class TtftPhases:
    """The parts of TTFT, in the order in which they happen, except that the remainder is last."""

    requests: int  # for which they are known
    of: int  # requests with a TTFT
    median_s: float  # TTFT of the same requests
    mean_s: float
    phases: tuple[Phase, ...]

    @property
    def queue_known(self) -> bool:
        return any(phase.name == QUEUE for phase in self.phases)


def ttft_phases(measurements: Sequence[Measurement]) -> TtftPhases | None:
    """Return the parts of these requests' TTFT; None if the server reports none."""
    table = as_table(measurements)
    ttft, prefill = metric_array(table, "ttft_s"), table.numbers("prefill_s")
    queue, load = table.numbers("server_queue_s"), table.numbers("load_s")
    reported = ~np.isnan(ttft) & ~np.isnan(prefill)
    queue_known = bool((reported & ~np.isnan(queue)).any())
    if queue_known:
        reported &= ~np.isnan(queue)
    parts = {QUEUE: queue if queue_known else None, LOAD: load, PREFILL: prefill}
    phase_times = {
        n: np.nan_to_num(p) for n, p in parts.items() if p is not None and _any(p[reported])
    }
    left = ttft - sum(phase_times.values(), np.zeros(len(ttft)))
    sound = reported & (left >= -np.maximum(TOLERANCE_S, TOLERANCE * ttft))
    if not sound.any():
        return None
    phase_times[NETWORK if queue_known else REST] = left
    whole = ttft[sound]
    mean = float(whole.mean())
    return TtftPhases(
        requests=int(sound.sum()),
        of=int((~np.isnan(ttft)).sum()),
        median_s=float(np.median(whole)),
        mean_s=mean,
        phases=tuple(_phase(name, part[sound], mean) for name, part in phase_times.items()),
    )


def _any(values: Floats) -> bool:
    return bool((~np.isnan(values)).any())


def _phase(name: str, values: Floats, whole_s: float) -> Phase:
    mean = float(values.mean())
    return Phase(name, float(np.median(values)), mean, mean / whole_s if whole_s else 0.0)
