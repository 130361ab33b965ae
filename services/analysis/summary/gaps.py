"""The times between chunks of many answers at once, of which a large run has half a million."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.ask.measurement import Measurement
from services.ask.measurements import as_table


def gaps(measurements: Sequence[Measurement]) -> NDArray[np.float64]:
    """Return the gaps between the chunks of each answer, in seconds, in the order of the answers.

    Not the time per token: a chunk may hold several. (vLLM calls these ITL.) For a large run, the
    gaps of a sample of its requests, see `Measurements.timed`.
    """
    times = [np.asarray(token_times) for token_times in as_table(measurements).timed()[1]]
    times = [chunk_times for chunk_times in times if len(chunk_times) > 1]
    if not times:
        return np.empty(0)
    between_answers = np.cumsum([len(chunk_times) for chunk_times in times])[:-1] - 1
    return np.delete(np.diff(np.concatenate(times)), between_answers)
