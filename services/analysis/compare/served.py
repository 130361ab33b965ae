"""Differences between the servers of runs: a run may be faster only because it had a different
server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differing_facts(baseline: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """Return labels for what differs between the servers of two runs, if known for both."""
    labels = (
        label
        for fact, label in FACTS.items()
        if fact in baseline and fact in other and baseline[fact] != other[fact]
    )
    return tuple(dict.fromkeys(labels))


def join_labels(labels: tuple[str, ...]) -> str:
    """Join labels: `address`, `address and machine`, `address, model and machine`."""
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last


FACTS = {
    "backend": "backend",
    "address": "address",
    "model": "model",
    "engine": "engine",
    "engine_version": "engine version",
    "tensor_parallel": "tensor parallel",
    "pipeline_parallel": "pipeline parallel",
    "data_parallel": "data parallel",
    "quantization": "quantization",
    "dtype": "data type",
    "cpu": "machine",
    "cores": "machine",
    "memory_bytes": "machine",
}
