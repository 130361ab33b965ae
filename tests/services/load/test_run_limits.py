"""A run that this machine cannot carry out is refused before it starts."""

from __future__ import annotations

import pytest

from services.ask.config import RunConfig
from services.load import run_limits
from services.wire.limits import MachineLimit


def test_prompts_that_would_fill_the_memory_are_reported() -> None:
    config = RunConfig(workload="text", prompt="x" * 200_000, requests=10_000, mode="batch")
    with pytest.raises(MachineLimit, match="exceed 1,024 MiB in total"):
        run_limits.check(config)
