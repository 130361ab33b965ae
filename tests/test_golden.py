"""The ruler, tested: every request's numbers against the log of a server with known times.

The bounds are those of a busy two-core machine on which client and server share the cores; what is
reached on a quiet one stands in docs/benchmarks.md.
"""

from __future__ import annotations

import itertools
from statistics import median
from typing import Any

import pytest
from sqlalchemy import Engine

from db import runs
from services.analysis.metrics import request_row
from services.ask.backends.dialects import DIALECTS
from services.ask.measurement import Measurement
from services.ask.workloads import prompt
from services.load.reference import log_key
from tests.conftest import ReferenceServer, Submit, finished

pytestmark = pytest.mark.timed

TYPICAL_S, WORST_S = 0.001, 0.1
E2E_S = 0.1 + 29 * 0.01  # of an answer: a share of it is the same error of a rate

MODES: list[dict[str, Any]] = [
    {"mode": "sequential", "requests": 5, "pause_s": 0.01},
    {"mode": "staggered", "requests": 40, "interval_s": 0.01},
    {"mode": "batch", "requests": 100},
    {"mode": "batch", "requests": 60, "concurrency": 7},
    {"mode": "staggered", "requests": 40, "interval_s": 0.01, "processes": 2},
    {"mode": "batch", "requests": 101, "processes": 3},
    *({"mode": "batch", "requests": 40, "concurrency": 8, "dialect": name} for name in DIALECTS),
]


def name(values: dict[str, Any]) -> str:
    return "-".join(str(value) for value in values.values())


@pytest.mark.parametrize("values", MODES, ids=name)
def test_every_request_agrees_with_the_servers_own_log(
    database: Engine, reference: ReferenceServer, reference_run: Submit, values: dict[str, Any]
) -> None:
    run_id = reference_run("ref ttft=0.1 gap=0.01 tokens=30", seed=1, repeats=2, **values)
    run = finished(database, run_id)
    log, mark = reference.log(), run.environment["prompt_mark"]
    off: dict[str, list[float]] = {"first": [], "last": [], "tpot": [], "rate": []}
    for measured in runs.measurements(database, run_id):
        did = log[log_key(prompt(run.config, measured.repeat, measured.index, mark))]
        began = run.repeats[measured.repeat].health["began_ns"]
        assert measured.status == "ok"
        assert measured.output_tokens == did["tokens"] == 30
        assert len(measured.token_times) == len(did["times"])
        for what, error in errors(measured, did, began).items():
            off[what].append(error)
    assert len(off["first"]) == 2 * values["requests"]
    for what in ("first", "last"):
        assert min(off[what]) > 0, "nothing arrives before it was sent"
    for what in ("first", "last", "tpot"):
        assert median(map(abs, off[what])) < TYPICAL_S, what
        assert max(map(abs, off[what])) < WORST_S, what
    assert median(map(abs, off["rate"])) < TYPICAL_S / E2E_S
    assert max(map(abs, off["rate"])) < 0.02


def errors(measured: Measurement, did: dict[str, Any], began_ns: int) -> dict[str, float]:
    """How far TTFT and E2E (by the arrival they end with), TPOT and tokens/s are off, in seconds
    and as a share. Both processes read the same clock. The request left before it came."""
    row = request_row(measured)
    sent_ns = began_ns + round(row["sent_s"] * 1e9)
    first, last, tokens = did["times"][0], did["times"][-1], did["tokens"]
    assert sent_ns < did["received"]
    return {
        "first": row["ttft_s"] - (first - sent_ns) / 1e9,
        "last": row["e2e_s"] - (last - sent_ns) / 1e9,
        "tpot": row["tpot_s"] - (last - first) / 1e9 / (tokens - 1),
        "rate": row["tokens_per_s"] / (tokens / ((last - sent_ns) / 1e9)) - 1,
    }


def test_requests_are_sent_when_the_schedule_says(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run(
        "ref tokens=2", mode="staggered", requests=30, interval_s=0.06125, warmup=0
    )
    finished(database, run_id)
    measured = runs.measurements(database, run_id)
    assert [m.t_due for m in measured] == pytest.approx([i * 0.06125 for i in range(30)])
    late = [m.t_send - m.t_due for m in measured if m.t_send is not None]
    assert min(late) >= 0
    assert median(late) < 0.005


def test_a_sequential_run_pauses_after_each_answer(database: Engine, reference_run: Submit) -> None:
    run_id = reference_run("ref tokens=3", requests=4, pause_s=0.3, warmup=0)
    finished(database, run_id)
    measured = runs.measurements(database, run_id)
    for earlier, later in itertools.pairwise(measured):
        assert earlier.t_end is not None and later.t_send is not None
        assert 0.3 <= later.t_send - earlier.t_end < 0.35


def test_a_cap_is_never_passed_and_is_reached(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    run_id = reference_run("ref tokens=3 ttft=0.03", mode="batch", requests=40, concurrency=6)
    finished(database, run_id)
    edges = [
        (time, step)
        for m in runs.measurements(database, run_id)
        for time, step in ((m.t_send or 0.0, 1), (m.t_end or 0.0, -1))
    ]
    level, peak = 0, 0
    for _, step in sorted(edges):
        level += step
        peak = max(peak, level)
    assert peak == 6


def test_five_thousand_at_once_are_all_accounted_for(
    database: Engine, reference: ReferenceServer, reference_run: Submit
) -> None:
    run_id = reference_run("ref ttft=1 gap=1 tokens=2", mode="batch", requests=5000, warmup=0)
    run = finished(database, run_id, 120)
    measured = runs.measurements(database, run_id)
    assert run.status == "done"
    assert len(measured) == 5000
    assert {m.status for m in measured} == {"ok"}
    assert {m.output_tokens for m in measured} == {2}
