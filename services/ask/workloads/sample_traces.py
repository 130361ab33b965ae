"""Small traces for a first try, one in each format. They are made up: about a minute of load that
the embedded model can handle."""

from __future__ import annotations

from pathlib import Path

from services.ask.workloads.tracefile import TraceFile, read_trace

FOLDER = Path(__file__).with_name("samples")
SAMPLES = {  # by the name of their format
    "Mooncake": "mooncake.jsonl",
    "BurstGPT": "burstgpt.csv",
    "Azure": "azure.csv",
}


def sample(name: str) -> TraceFile:
    """Return a sample of SAMPLES."""
    file = SAMPLES[name]
    return read_trace((FOLDER / file).read_bytes(), file)
