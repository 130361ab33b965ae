"""The sessions and turns of a run's requests, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.ask.measurements import Measurements
from services.ask.sessions import Sessions

Numbers = NDArray[np.int64]


def located(sessions: Sessions, table: Measurements) -> tuple[Numbers, Numbers]:
    """Return the session and the turn of each request, both from 0."""
    index = table.numbers("index").astype(np.int64)
    rounds, rest = np.divmod(index, sessions.starts[-1])
    place = np.searchsorted(np.array(sessions.starts), rest, side="right") - 1
    return rounds * len(sessions.delays_s) + place, rest - np.array(sessions.starts)[place]
