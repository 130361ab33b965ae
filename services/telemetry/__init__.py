"""What a server did while it was measured: its queue, its cache, its GPUs, its processes.

Seen from a process of its own, `python -m services.telemetry` (see `__main__`), so that looking
costs the client nothing. This much of it only computes, for whoever reads samples.
"""

from __future__ import annotations

from services.telemetry.figures import began, during, gpus, grown, highest, mean, values
from services.telemetry.series import SERIES, Series, device_of, place, series_of

__all__ = [
    "SERIES", "Series", "began", "device_of", "during", "gpus", "grown", "highest", "mean",
    "place", "series_of", "values",
]  # fmt: skip
