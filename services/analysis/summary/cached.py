"""The share of prompt tokens that came from a cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.ask.measurement import Measurement
from services.ask.measurements import as_table


def cached_share(measurements: Sequence[Measurement]) -> float | None:
    """Return the share of prompt tokens served from a cache; None if no answer reports it."""
    table = as_table(measurements)
    cached, prompt = table.numbers("cached_tokens"), table.numbers("prompt_tokens")
    both = ~np.isnan(cached) & (prompt > 0)
    return float(cached[both].sum() / prompt[both].sum()) if both.any() else None
