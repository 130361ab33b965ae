"""The client's own error: what is played, what is subtracted, and what a real run stores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from services.ask import modes, workloads
from services.ask.backends import Target, target
from services.ask.config import RunConfig, parse
from services.ask.plan import CALIBRATION_S, calibrates
from services.load.calibrate import MAX_CHUNKS, Calibration, client_error, replay_config
from services.load.protocol import Job, decode, encode
from services.load.response_profile import ResponseProfile, median_profile, profile_of
from services.wire.exchange import Exchange
from tests.conftest import finished
from tests.values import failed, measured

BEGAN = 7_000_000_000


def entry(*times: float) -> dict[str, Any]:
    return {"times": [BEGAN + round(time * 1e9) for time in times]}


def test_the_client_error_is_the_observed_minus_the_true_time() -> None:
    seen = [
        measured(0, token_times=(1.000004, 1.010, 1.020006)),  # 4 and 6 µs, gaps 4 and 6 off
        measured(1, token_times=(1.000002, 1.010, 1.020010)),  # 2 and 10 µs, gaps 2 and 10 off
        measured(2, token_times=(1.0, 1.1)),  # a chunk is missing
        failed(3),
        measured(4),
    ]
    truth = [*[entry(1.0, 1.010, 1.020)] * 4, None]
    error = client_error(seen, truth, BEGAN)
    assert (error.requests, error.lost) == (5, 3)
    assert error.ttft_p50_s == pytest.approx(3e-6, abs=1e-9)
    assert error.e2e_p50_s == pytest.approx(8e-6, abs=1e-9)
    assert error.inter_chunk_p50_s == pytest.approx(5e-6, abs=1e-9)
    assert error.ttft_p99_s == pytest.approx(3.98e-6, abs=1e-9)
    assert error.span_s == pytest.approx(0.02)


def test_without_a_success_the_client_error_is_unknown() -> None:
    nothing = Calibration(1, 1, None, None, None, None, None, None, None)
    assert client_error([failed()], [None], BEGAN) == nothing


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"mode": "batch", "requests": 64}, False),
        ({"mode": "batch", "requests": 65}, True),
        ({"mode": "batch", "requests": 5000, "concurrency": 64}, False),
        ({"mode": "batch", "requests": 500, "calibrate": False}, False),
        ({"mode": "sequential", "requests": 500}, False),
        ({"mode": "sequential", "calibrate": True}, True),
        ({"mode": "staggered", "requests": 65}, True),
    ],
)
def test_a_run_is_calibrated_above_64_in_flight_or_when_asked(
    values: dict[str, Any], expected: bool
) -> None:
    assert calibrates(RunConfig(**values)) is expected


CONFIGS = st.one_of(
    st.builds(
        lambda n, c: {"mode": "batch", "requests": n, "concurrency": c},
        st.integers(1, 10_000),
        st.one_of(st.none(), st.integers(1, 10_000)),
    ),
    st.builds(
        lambda n, s: {"mode": "staggered", "requests": n, "interval_s": s},
        st.integers(1, 3000),
        st.floats(0, 60),
    ),
    st.builds(
        lambda n, s: {"mode": "sequential", "requests": n, "pause_s": s},
        st.integers(1, 3000),
        st.floats(0, 60),
    ),
)
RHYTHMS = st.builds(
    ResponseProfile,
    st.floats(0, 300),
    st.floats(0, 10),
    st.integers(1, 100_000),
    st.integers(0, 99),
)


@given(CONFIGS, RHYTHMS)
def test_a_calibration_replays_the_load_of_the_run_for_a_short_time(
    values: dict[str, Any], profile: ResponseProfile
) -> None:
    config = RunConfig(**values)
    played, model, gap = replay_config(config, profile)
    options = dict(part.split("=") for part in model.split()[1:])
    chunks = int(options["tokens"])
    one_s = float(options["ttft"]) + gap * (chunks - 1)
    assert float(options["gap"]) == pytest.approx(gap, abs=1e-6)
    whole = modes.schedule(config)
    at_once = min(whole.in_flight or 1, config.requests)
    assert at_once <= played.requests <= config.requests
    assert chunks >= 2 and played.requests * chunks <= max(MAX_CHUNKS, 2 * played.requests)
    assert one_s <= 15
    if played.requests > at_once:
        assert modes.simulate(modes.schedule(played), one_s)[-1][2] <= CALIBRATION_S + 1e-3


def test_a_profile_is_read_from_an_answer_and_the_typical_one_has_medians() -> None:
    def answer(*times: int, sent: int = 0) -> Exchange:
        exchange = Exchange(lambda: None)
        exchange.sent, exchange.token_times = sent, list(times)
        exchange.text = ["four"] * len(times)
        return exchange

    profile = profile_of(answer(2_000_000_000, 2_100_000_000, 2_300_000_000))
    assert profile == ResponseProfile(2.0, pytest.approx(0.15), 3, 4)
    assert profile_of(answer(10)) == ResponseProfile(1e-8, 0.0, 1, 4)
    assert profile_of(answer()) is None
    several = [
        ResponseProfile(1, 0.1, 5, 3),
        ResponseProfile(2, 0.3, 9, 4),
        ResponseProfile(9, 0.2, 6, 8),
    ]
    assert median_profile(several) == ResponseProfile(2, 0.2, 6, 4)
    assert median_profile([]) is None


@pytest.mark.timed
@pytest.mark.parametrize(
    "values",
    [
        {"mode": "batch", "requests": 70},
        {"mode": "batch", "requests": 70, "processes": 2, "unique_prompts": False},
        {"mode": "staggered", "requests": 10, "interval_s": 0.01, "calibrate": True},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_a_run_stores_what_its_client_adds(
    database: Engine,
    reference_run: Any,
    values: dict[str, Any],
) -> None:
    run = finished(database, reference_run("ref ttft=0.1 gap=0.01 tokens=20", **values))
    error = run.calibration
    assert error is not None and "problem" not in error
    assert (error["requests"], error["lost"]) == (values["requests"], 0)
    assert error["processes"] == values.get("processes", 1)
    assert 0 < error["ttft_p50_s"] < 0.001
    assert error["ttft_p50_s"] <= error["ttft_p99_s"]
    assert 0 < error["e2e_p50_s"] < 0.001
    assert 0.3 < error["pace"] <= 1


@pytest.mark.slow
def test_a_run_is_not_calibrated_if_calibrate_is_off(database: Engine, reference_run: Any) -> None:
    run = finished(database, reference_run("ref", mode="batch", requests=70, calibrate=False))
    assert run.calibration is None


def test_a_calibration_by_several_processes_takes_neither_key_nor_proxy_along() -> None:
    """What one of them receives, and its environment."""
    env = {"OPENAI_API_KEY": "sk-secret", "https_proxy": "http://user:hush@proxy:1"}
    config = parse({"backend": "openai", "model": "m", "mode": "batch"})
    own = Job(config, target(config, env), "nonce", 0)
    assert own.target.key and own.target.proxy
    assert decode(encode(own)) == own
    assert "sk-secret" not in repr(own) and "hush" not in repr(own)
    there = replace(own, target=Target("url", "http://127.0.0.1:1/v1", "ref", None, "wire"))
    message = encode(there)
    assert decode(message) == there
    assert "sk-secret" not in str(message) and "hush" not in str(message)


def test_a_calibration_sends_no_real_prompts() -> None:
    config = RunConfig(workload="text", prompt="my secret plan " * 20, mode="batch", requests=100)
    played, _, _ = replay_config(config, ResponseProfile(0.1, 0.01, 20, 4))
    length = len(workloads.prompt(config, 0, 0))
    assert "secret" not in workloads.prompt(played, 0, 0)
    assert abs(len(workloads.prompt(played, 0, 0)) - length) <= 20


@pytest.mark.long
@pytest.mark.slow
def test_a_failed_calibration_does_not_fail_the_run(
    database: Engine,
    reference_run: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The server of the calibration ends at once: a module that fails to be imported stands first
    on its path."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'services.load.reference' in sys.orig_argv: sys.exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = finished(database, reference_run("ref", mode="batch", requests=70))
    assert run.status == "done"
    assert run.calibration == {
        "problem": "The calibration failed: the reference server did not start."
    }
