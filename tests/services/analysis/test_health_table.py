"""How the client was, in words and numbers."""

from __future__ import annotations

from typing import Any

import pytest

from services.analysis import client_health
from services.analysis.compare import Candidate
from services.analysis.diagnostics.client import past_limits
from services.ask.modes import MODES
from tests.values import TRACE, candidate, measured

CALIBRATED = {
    "requests": 70,
    "lost": 1,
    "processes": 2,
    "span_s": 1.0,
    "pace": 0.9,
    "ttft_p50_s": 4e-6,
    "ttft_p99_s": 3e-4,
    "e2e_p50_s": 8e-6,
    "e2e_p99_s": 4e-4,
    "inter_chunk_p50_s": 3e-6,
    "inter_chunk_p99_s": 2e-4,
}


def staggered(**of_run: Any) -> Candidate:
    requests = [
        measured(
            i,
            send=i * 0.1 + 0.002,
            t_due=i * 0.1,
            coalesced_reads=1,
            token_times=(1.0, 1.5, 1.5, 2.0, 3.0),
        )
        for i in range(11)
    ]
    return candidate(requests, mode="staggered", requests=11, interval_s=0.1, **of_run)


def rows(of: Candidate) -> dict[str, tuple[str, str]]:
    return {name: (value, limit) for name, value, limit in client_health.table(of).rows}


def test_the_sentence_states_what_the_client_adds_to_ttft() -> None:
    assert client_health.sentence(staggered()) == ""
    assert client_health.sentence(staggered(calibration={"problem": "no"})) == ""
    assert client_health.sentence(staggered(calibration=CALIBRATED)) == (
        "At this load the client adds 4.00 µs to TTFT at the median and 300 µs at p99, measured "
        "against a server with known send times."
    )


def test_a_calibration_at_reduced_pace_is_reported() -> None:
    sentence = client_health.sentence(staggered(calibration={**CALIBRATED, "pace": 0.5}))
    assert sentence.startswith(
        "At 50.0 % of this load's pace (the maximum of one reference server) the"
    )


def test_each_number_is_shown_with_its_limit() -> None:
    health = {"clock": "kernel", "cpu_share": 0.25, "loop_lag_p99_s": 0.0005, "processes": 2}
    shown = rows(staggered(health=health, calibration=CALIBRATED))
    assert shown["Clock of arrivals"] == ("the kernel's receive timestamps", "")
    assert shown["Sending processes"] == ("2", "")
    assert shown["Event loop lag, p99"] == ("500 µs", "5.00 ms")
    assert shown["Share of a core"] == ("25.0 %", "80.0 %")
    assert shown["Sent late, p99"] == ("2.00 ms", "10.0 ms")
    assert shown["Requests per second, configured"] == ("10", "")
    assert shown["Requests per second, sent"] == ("10", "at least 9.8")
    assert shown["Chunks read together"] == ("40.0 %", "1.00 %")
    assert shown["Error of TTFT, p99"] == ("300 µs", "10.0 ms")
    assert shown["Lost in calibration"] == ("1", "")


@pytest.mark.parametrize(
    ("config", "client"),
    [
        ({}, "Paceline's own (wire)"),
        ({"client": "litellm"}, "LiteLLM"),
        ({"backend": "litellm"}, "LiteLLM"),
    ],
)
def test_unknown_values_are_dashes_or_left_out(config: dict[str, Any], client: str) -> None:
    shown = rows(candidate([measured()], **config))
    assert shown["Client"] == (client, "")
    assert shown["Event loop lag, p99"][0] == shown["Share of a core"][0] == "–"
    assert "Requests per second, sent" not in shown
    assert "Error of TTFT, p99" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("clock", ["kernel", "loop", None])
@pytest.mark.parametrize("client", ["wire", "litellm"])
@pytest.mark.parametrize("lag", [0.001, 0.0199])
@pytest.mark.parametrize("cpu", [0.5, 0.95])
@pytest.mark.parametrize("late", [0.0, 0.5])
def test_a_limit_is_shown_only_where_it_is_one(
    mode: str, clock: str | None, client: str, lag: float, cpu: float, late: float
) -> None:
    """Whatever stands past the limit beside it is why the client is past its limits, and what it is
    past stands there."""
    requests = [measured(i, send=i * 0.1 + late * (i > 8), t_due=i * 0.1) for i in range(11)]
    health = {"loop_lag_p99_s": lag, "cpu_share": cpu, **({"clock": clock} if clock else {})}
    of = candidate(
        requests,
        mode=mode,
        trace=TRACE,
        requests=11,
        interval_s=0.1,
        client=client,
        health=health,
        calibration={**CALIBRATED, "ttft_p99_s": late},
    )
    shown = {name: (number(value), number(limit)) for name, (value, limit) in rows(of).items()}
    least = ("Requests per second, sent",)  # there more is better
    past = [
        name
        for name, (value, limit) in shown.items()
        if value is not None
        and limit is not None
        and (value < limit if name in least else value > limit)
    ]
    reasons = past_limits(of.run, of.measurements, of.summary)
    assert len(reasons) == len(past), (past, [diagnostic.title for diagnostic in reasons])


UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "%": 0.01, "": 1.0}


def number(text: str) -> float | None:
    """A number with its unit as one, or nothing of what is none."""
    value, _, unit = text.removeprefix("at least ").partition(" ")
    try:
        return float(value) * UNITS[unit]
    except (ValueError, KeyError):
        return None
