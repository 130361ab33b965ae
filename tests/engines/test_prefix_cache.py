"""What prompts share by plan, and what the caches of llama.cpp and vLLM give: prefixes, sessions,
both, and a trace, one request at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

import jobs
from db import results
from services.analysis.diagnostics import diagnostics
from services.analysis.diagnostics.prompts import HITS_OFF
from services.analysis.summary.cached import cached_share
from services.analysis.turns import history_share
from services.ask.config import parse
from services.ask.planned_hits import planned_hits
from services.ask.workloads.sample_traces import sample
from tests.conftest import finished
from tests.engines.conftest import READY_S, Start

RUN_S = 900.0  # up to five minutes beside other programs
LONG = {"input_tokens": 1000, "requests": 20, "max_tokens": 4}
TURNS = {"turns": 3, "input_tokens": 200, "requests": 12, "max_tokens": 24}
BOTH = {"turns": 3, "input_tokens": 400, "requests": 18, "max_tokens": 16, "prefix_count": 2}
CASES: dict[str, dict[str, Any]] = {
    "prefix 0": LONG,
    "prefix 50": LONG | {"prefix_share": 0.5},
    "prefix 90": LONG | {"prefix_share": 0.9},
    "recorded": TURNS,
    "answered": TURNS | {"history": "answered"},
    "both": BOTH | {"prefix_share": 0.57},
    "trace": {
        "workload": "trace",
        "trace": sample("Mooncake").rows,
        "mode": "replay",
        "trace_speed": 10,
        "concurrency": 1,
    },
}
TEMPLATE = 0.05  # of prompts of 500 tokens, at most: the same beginning of all, never planned
# Cases that give less than planned, or may: the result then says so.
WHOLE_BLOCKS = ("recorded", "answered", "both", "trace")  # what fills no block is missing
FORGOTTEN = ("both", "trace")  # less than a quarter of what is in the slot
Server = Callable[[Start], dict[str, Any]]
pytestmark = [pytest.mark.engines, pytest.mark.timeout(READY_S + len(CASES) * RUN_S)]


def embedded(start: Start) -> dict[str, Any]:
    return {"backend": "embedded"}


def vllm(start: Start) -> dict[str, Any]:
    """Blocks of 32 tokens: of 128, its own for a CPU, half of one is 6 % of 1,000 tokens."""
    engine = start("vllm", max_model_len=2048, extra="--block-size 32")
    return {"backend": "vllm", "base_url": engine.base_url}


@pytest.mark.parametrize(
    ("server", "fewer"),
    [(embedded, FORGOTTEN), (vllm, WHOLE_BLOCKS)],
    ids=["llama.cpp", "vLLM"],
)
def test_cache_hits_match_the_plan_or_a_diagnostic_reports_it(
    database: Engine, start: Start, server: Server, fewer: tuple[str, ...]
) -> None:
    where = server(start)
    for name, values in CASES.items():
        planned, observed, titles = seen(database, where | values)
        told = any("prefix cache instead of" in title for title in titles)
        told |= "Part of the history was recomputed" in titles
        off = f"{name}: {observed:.3f} instead of {planned:.3f}"
        assert observed <= planned + TEMPLATE, off
        assert observed >= planned - HITS_OFF or (name in fewer and told), off


def seen(database: Engine, values: dict[str, Any]) -> tuple[float, float, list[str]]:
    """Measure a run; return the share of its prompt tokens that should have come from the cache,
    that did, and the titles of its diagnostics."""
    usual = {"pause_s": 0, "ignore_eos": True, "warmup": 1, "timeout_s": RUN_S}
    config = parse(usual | values)
    run = finished(database, jobs.submit(database, config), RUN_S)
    assert (run.status, run.error) == ("done", None)
    candidate = results.candidate(database, run.id)
    assert candidate.summary.failed == 0, [each.error for each in candidate.measurements]
    plan, by_count = planned_hits(config), history_share(candidate.measurements, config)
    observed = cached_share(candidate.measurements)
    assert observed is not None
    found = diagnostics(run, candidate.measurements, candidate.summary)
    wanted = by_count if by_count is not None else plan.share if plan else 0.0
    return wanted, observed, [each.title for each in found]
