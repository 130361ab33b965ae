"""The run of a probe, and what its requests say about the load."""

from __future__ import annotations

import math

import pytest

from services.analysis.capacity import Step, sustained
from services.ask.config import RunConfig
from services.ask.measurement import Measurement
from services.studies.capacity_config import CapacityConfig, parse_capacity
from services.studies.capacity_probe import (
    Probe,
    distinct_servers,
    from_dict,
    nothing_known,
    probe_config,
    to_dict,
    with_observation,
)

WINDOW_S = 10.0


def of(server: RunConfig | None = None, **more: object) -> CapacityConfig:
    return parse_capacity({"servers": [server or RunConfig()], "window_s": WINDOW_S, **more})


def answered(unseen: int, n: int = 100) -> list[Measurement]:
    """Answers within the window, the first of them in one piece: when they began is unknown."""
    settle_s = WINDOW_S / 4
    due = [settle_s + WINDOW_S * index / n for index in range(n)]
    return [
        Measurement(
            *(0, index, "ok"),
            t_due=at,
            t_send=at,
            t_first=math.nan if index < unseen else at + 0.1,
            t_last=at + 0.2,
            t_end=at + 0.2,
        )
        for index, at in enumerate(due)
    ]


@pytest.mark.parametrize(("unseen", "ends"), [(0, False), (5, False), (6, True), (100, True)])
def test_an_unknown_metric_counts_as_missed_and_ends_a_search_that_it_could_decide(
    unseen: int, ends: bool
) -> None:
    probe = with_observation(of(), Probe(0, 10.0, WINDOW_S, 7), answered(unseen))
    assert probe.observation is not None
    assert probe.observation.misses[0].count == probe.observation.unknown[0] == unseen
    why = nothing_known(of(), probe)
    assert (why is not None) is ends
    assert why is None or why.startswith("TTFT is unknown for too many answers of run 7")
    assert from_dict(to_dict(probe)) == probe
    whole = with_observation(
        of(objectives=["e2e:p95<2"]), Probe(0, 10.0, WINDOW_S, 7), answered(100)
    )
    assert nothing_known(of(objectives=["e2e:p95<2"]), whole) is None


def test_as_many_unknown_metrics_as_may_miss_do_not_end_a_search() -> None:
    """One of ten at p90, although 1 − 0.9 is a little less than 0.1."""
    config = of(objectives=["ttft:p90<0.5"])
    probe = with_observation(config, Probe(0, 1.0, WINDOW_S, 7), answered(1, 10))
    assert probe.observation is not None and probe.observation.misses[0].n == 10
    assert nothing_known(config, probe) is None
    assert sustained(probe.observation, config.parsed_objectives)


def test_an_earlier_versions_probe_has_no_unknown_metrics() -> None:
    probe = with_observation(of(), Probe(0, 10.0, WINDOW_S, 7), answered(0))
    stored = to_dict(probe)
    del stored["observation"]["unknown"]
    assert from_dict(stored) == probe


def test_refused_requests_are_not_tried_again() -> None:
    assert probe_config(of(RunConfig(retries=3)), 0, Step(4.0, WINDOW_S), 0).retries == 0


def test_the_load_is_in_requests_which_are_the_turns_of_sessions() -> None:
    sessions = RunConfig(workload="synthetic", turns=4)
    config = probe_config(of(sessions), 0, Step(10.0, WINDOW_S), 0)
    assert config.rate == pytest.approx(2.5), "sessions per second"
    users = probe_config(of(sessions, load="users"), 0, Step(10.0, WINDOW_S), 0)
    assert users.users == 10


def test_only_answered_requests_are_completed() -> None:
    measured = answered(0)
    failed = [
        Measurement(0, each.index, "failed", t_due=each.t_due, t_send=each.t_send, t_end=each.t_end)
        for each in measured[:40]
    ]
    probe = with_observation(of(), Probe(0, 10.0, WINDOW_S, 7), [*failed, *measured[40:]])
    assert probe.observation is not None
    assert probe.observation.served == 58, "two ended after the window"
    assert not probe.observation.growing


def test_runs_that_differ_only_in_what_a_probe_sets_are_one_server() -> None:
    one = RunConfig(model="a", pause_s=1)
    batch = one.model_copy(update={"mode": "batch", "concurrency": 2})
    longer = one.model_copy(update={"max_tokens": 900})
    seeded = one.model_copy(update={"seed": 7})
    assert distinct_servers([one, batch, longer, seeded]) == (one, longer)
