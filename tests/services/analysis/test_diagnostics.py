"""Each check fires on the run it is for, keeps still on a good one, and says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from services.analysis.diagnostics import CHECKS, Diagnostic, diagnostics
from services.analysis.diagnostics.advice import advice
from services.analysis.diagnostics.client import past_limits, so_far
from services.analysis.diagnostics.sending import intervals_s
from services.analysis.summary import summarize
from services.ask.config import RunConfig
from services.ask.measurement import CACHE, ERROR_CLASSES, Measurement, Progress, Run
from services.ask.workloads import max_tokens
from tests.values import NOON, failed, measured, run

MANY = [measured(i, repeat=r, send=0.0, e2e=3.0) for r in range(3) for i in range(80)]


def diagnostics_of(of: Run, measurements: Sequence[Measurement]) -> list[Diagnostic]:
    return diagnostics(of, measurements, summarize(measurements))


def titles(of: Run, measurements: Sequence[Measurement]) -> str:
    return "\n".join(diagnostic.title for diagnostic in diagnostics_of(of, measurements))


def good(**changes: Any) -> Run:
    return replace(run(requests=80, repeats=3), **changes)


def with_config(**config: Any) -> Run:
    return run(**{"requests": 80, "repeats": 3, **config})


def staggered(late: Sequence[float], interval: float = 0.1) -> list[Measurement]:
    """Requests due every `interval`, sent so much later."""
    return [
        measured(i, send=i * interval + lateness, t_due=i * interval)
        for i, lateness in enumerate(late)
    ]


def changed(**changes: Any) -> list[Measurement]:
    return [replace(m, **changes) for m in MANY]


def test_a_good_run_raises_no_diagnostic() -> None:
    assert diagnostics_of(good(), MANY) == []


def test_a_healthy_client_of_another_paceline_raises_no_diagnostic() -> None:
    known = with_config(health={"cpu_share": 0.1})
    assert diagnostics_of(replace(known, source={"tool": "Paceline"}), MANY) == []


def test_a_run_without_requests_does_not_say_that_any_were_kept() -> None:
    (diagnostic,) = diagnostics_of(good(status="failed"), [])
    assert diagnostic.sentence == "No request was measured. Run it again."
    assert "is kept" in diagnostics_of(good(status="failed"), MANY)[0].sentence


def test_a_good_staggered_run_raises_no_diagnostic() -> None:
    on_time = staggered([0.0005] * 80)
    assert titles(with_config(mode="staggered", interval_s=0.1), on_time) == (
        "One repeat: no uncertainty"
    )


CASES: list[tuple[Run, list[Measurement], str, str]] = [
    (good(status="interrupted"), MANY, "warning", "The run was interrupted"),
    (good(status="cancelled"), MANY, "warning", "The run was cancelled"),
    (good(status="failed"), MANY, "warning", "The run failed"),
    (good(status="running"), MANY, "note", "The run is not finished"),
    (good(source={"tool": "guidellm"}), MANY, "note", "Measured by guidellm"),
    (good(token_times_removed_at=NOON), MANY, "note", "Token times were removed"),
    (good(), [*MANY, failed(80)], "warning", "1 of 241 requests failed"),
    (
        with_config(health={"warm_up": {"ok": 8, "http_429": 2, "connect": 1}}),
        MANY,
        "warning",
        "9 of 33 warm-up requests failed",
    ),
    (
        with_config(health={"unsent_turns": {"failed": 2}}),
        MANY,
        "warning",
        "6 turns not sent after a failure",
    ),
    (
        with_config(health={"unsent_turns": {"ended": 1}}),
        MANY,
        "note",
        "3 turns not sent because the time was up",
    ),
    (
        good(),
        [*MANY[1:], replace(MANY[0], output_tokens=None, token_source="unknown")],
        "warning",
        "1 of 240 answers have no token count",
    ),
    (good(), changed(cached_tokens=1), "warning", "10.0 % of the prompt tokens came from a cache"),
    (
        with_config(mode="staggered"),
        staggered([0.0] * 70 + [0.015] * 10),
        "warning",
        "Requests were sent 15.0 ms late (p99)",
    ),
    (
        with_config(mode="staggered"),
        staggered([i * 0.01 for i in range(80)]),
        "warning",
        "The requested rate was not reached",
    ),
    (
        with_config(mode="poisson", concurrency=9),
        [measured(i, send=0.1 * i, e2e=3.0 + 0.01 * i) for i in range(400)],
        "warning",
        "Latency grew during the run",
    ),
    (
        with_config(mode="poisson", concurrency=2),
        [*MANY[4:], *(replace(m, cap_wait_s=0.5) for m in MANY[:4])],
        "warning",
        "1.67 % of the requests waited in this client",
    ),
    (
        good(),
        [*MANY[1:], replace(MANY[0], attempts=2, first_error_class="http_429", retry_wait_s=3.0)],
        "warning",
        "1 request sent more than once",
    ),
    (
        run(mode="users", users=90, requests=80, repeats=3),
        MANY,
        "warning",
        "Only 80 of 90 users send a request",
    ),
    (
        run(mode="users", duration_s=60.0, repeats=3),
        [*MANY, measured(80, status="cancelled")],
        "warning",
        "1 request cut off at the end",
    ),
    (
        with_config(requests=100),
        MANY,
        "warning",
        "At most 80 in flight instead of 100",
    ),
    (
        good(),
        changed(coalesced_reads=1, token_times=(1.0, 2.0, 2.0, 3.0)),
        "warning",
        "Chunks arrived together",
    ),
    (
        with_config(health={"loop_lag_p99_s": 0.012, "clock": "loop"}),
        MANY,
        "warning",
        "This client was 12.0 ms behind",
    ),
    (
        with_config(
            health={"nodes": [{"node": 1}, {"node": 2, "lost": "Ray lost contact with it"}]}
        ),
        MANY,
        "warning",
        "Lost while measuring: node 2",
    ),
    (
        with_config(health={"start_spread_s": 0.006}),
        MANY,
        "warning",
        "The nodes may have started 6.00 ms apart",
    ),
    (
        with_config(health={"cpu_share": 0.9}),
        MANY,
        "warning",
        "This client used 90.0 % of its core",
    ),
    (
        good(calibration={"ttft_p99_s": 0.02}),
        MANY,
        "warning",
        "This client adds up to 20.0 ms to TTFT",
    ),
    (
        good(calibration={"problem": "The calibration failed: no file left."}),
        MANY,
        "note",
        "This client was not calibrated",
    ),
    (
        with_config(health={"oddities": {"one_newline": 3, "a later version's": 1}}),
        MANY,
        "note",
        "The server's streaming format is unusual",
    ),
    (
        with_config(health={"oddities": {"not_streamed": 80}}),
        MANY,
        "warning",
        "240 answers came in one piece",
    ),
    (
        good(),
        [*MANY[3:], *(replace(m, finish_reason="length") for m in MANY[:3])],
        "warning",
        "3 of 240 answers are shorter than requested",
    ),
    (
        with_config(ignore_eos=True, max_tokens=6),
        MANY,
        "warning",
        "240 of 240 answers are shorter than requested",
    ),
    (
        with_config(workload="synthetic", input_tokens=8),  # the server counts 10
        MANY,
        "note",
        "Prompts have 25.0 % more tokens than planned",
    ),
    (
        with_config(workload="synthetic", input_tokens=10, prefix_share=0.1),
        changed(cached_tokens=None),
        "note",
        "The cache hit rate is unknown",
    ),
    (
        with_config(workload="synthetic", input_tokens=10, prefix_share=0.1),
        changed(cached_tokens=5),
        "warning",
        "50.0 % of the prompt tokens came from the prefix cache instead of 9.88 %",
    ),
    (
        with_config(workload="synthetic", turns=2, max_tokens=5),  # each counts 10 tokens
        changed(cached_tokens=3),
        "note",
        "Part of the history was recomputed",
    ),
    (
        with_config(empty_cache=True, health={CACHE: "There is no way."}),
        MANY,
        "warning",
        "The server's cache was not emptied before 3 repeats",
    ),
    (
        with_config(workload="mixed", input_tokens=10),
        MANY,
        "note",
        "Prompts have 60.0 % fewer tokens than planned",
    ),
    (
        with_config(output_distribution="uniform", max_tokens=40),
        MANY,
        "warning",
        "240 of 240 answers are shorter than requested",
    ),
    (with_config(environment={"through_proxy": True}), MANY, "note", "Measured through a proxy"),
    (
        with_config(backend="vllm", insecure_tls=True),
        MANY,
        "warning",
        "The server's certificate was not checked",
    ),
    (with_config(client="litellm"), MANY, "warning", "Measured through LiteLLM"),
    (with_config(backend="litellm"), MANY, "warning", "Measured through LiteLLM"),
    (with_config(requests=90), MANY, "note", "Not every request was answered"),
    (
        with_config(max_tokens=5),
        changed(finish_reason="length"),
        "note",
        "Every answer was cut off at the token limit",
    ),
    (good(), MANY[:71], "note", "Too few requests for the 95th percentile (71)"),
    (good(), MANY[:80], "note", "One repeat: no uncertainty"),
    (
        good(),
        [measured(i, repeat=r, send=0.0, e2e=2.0**r) for r in range(3) for i in range(80)],
        "note",
        "Output throughput is uncertain: 35.7–1,119 tokens/s",
    ),
]


@pytest.mark.parametrize(("of", "measurements", "level", "title"), CASES)
def test_a_bad_run_raises_a_diagnostic(
    of: Run, measurements: list[Measurement], level: str, title: str
) -> None:
    (diagnostic,) = [
        diagnostic for diagnostic in diagnostics_of(of, measurements) if diagnostic.title == title
    ]
    assert diagnostic.level == level
    assert diagnostic.sentence.count(".") >= 2  # what it means, and what to do
    assert diagnostic.sentence.endswith(".")


@pytest.mark.parametrize(
    ("config", "cut"),
    [
        ({"ignore_eos": True}, False),
        ({"output_distribution": "uniform"}, False),
        ({"backend": "vllm", "min_tokens": 5}, False),
        ({"backend": "vllm", "min_tokens": 4}, True),
    ],
)
def test_answers_as_long_as_requested_are_not_called_cut(config: Any, cut: bool) -> None:
    of = with_config(max_tokens=5, **config)
    found = diagnostics_of(of, changed(finish_reason="length", output_tokens=5))
    assert ("Every answer was cut off at the token limit" in {d.title for d in found}) == cut


def test_the_client_of_another_tool_is_not_held_to_our_limits() -> None:
    late = staggered([0.0] * 70 + [0.015] * 10)
    assert past_limits(with_config(mode="staggered"), late, summarize(late))
    elsewhere = replace(with_config(mode="staggered"), source={"tool": "guidellm"})
    assert not past_limits(elsewhere, late, summarize(late))
    assert "sent late" not in titles(elsewhere, late)


def test_answers_are_not_short_without_a_requested_length() -> None:
    cut = changed(finish_reason="length")
    assert "shorter" in titles(good(), cut)
    assert "shorter" not in titles(with_config(omit=("max_tokens",)), cut)
    elsewhere = {"tool": "guidellm", "known": ["requests"]}
    assert "shorter" not in titles(good(source=elsewhere), cut)


def test_a_run_by_time_that_reaches_the_maximum_of_requests_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_time = run(mode="users", duration_s=60.0, repeats=3)
    title = "Ended after 80 requests, before the duration was over"
    assert title not in titles(by_time, MANY)
    monkeypatch.setattr("services.analysis.diagnostics.whole_run.MOST", 80)
    assert title in titles(by_time, MANY)


def test_every_check_has_a_case() -> None:
    fired = {
        check
        for of, measurements, _, _ in CASES
        for summary in [summarize(measurements)]
        for check in CHECKS
        if check(of, measurements, summary)
    }
    assert fired == set(CHECKS)


@pytest.mark.parametrize(
    ("of", "measurements"),
    [
        (good(), changed(cached_tokens=None)),
        (with_config(unique_prompts=False), changed(cached_tokens=9)),
        (with_config(concurrency=80, requests=80), MANY),
        (with_config(health={"loop_lag_p99_s": 0.004, "cpu_share": 0.7, "clock": "kernel"}), MANY),
        (with_config(health={"loop_lag_p99_s": None}), MANY),
        (good(), [*MANY[1:], replace(MANY[0], finish_reason="length")]),
        (with_config(ignore_eos=True, max_tokens=5), MANY),
        (with_config(health={"oddities": "of no kind"}), MANY),
        (with_config(health={"warm_up": {"ok": 8}}), MANY),
        (with_config(health={"warm_up": ["of no kind"]}), MANY),
        (good(), [*MANY[1:], replace(MANY[0], coalesced_reads=5)]),
    ],
    ids=[
        "cache unknown",
        "cache wanted",
        "full",
        "healthy",
        "lag unknown",
        "one cut",
        "full length",
        "odd health",
        "warmed up",
        "odd warm-up",
        "few joined",
    ],
)
def test_good_runs_raise_no_diagnostic(of: Run, measurements: list[Measurement]) -> None:
    assert titles(of, measurements) == ""


def test_the_limit_on_lateness_grows_with_the_interval() -> None:
    late = [0.0] * 70 + [0.009] * 10
    of = with_config(mode="staggered")
    assert "late" not in titles(of, staggered(late, interval=0.1))
    assert "late" in titles(of, staggered(late, interval=0.05))


def test_requests_that_wait_for_an_answer_are_not_late() -> None:
    waiting = [replace(m, t_due=-50.0) for m in MANY]
    assert titles(good(), waiting) == ""


def test_requested_and_achieved_intervals_by_hand() -> None:
    assert intervals_s(staggered([0.0, 0.0, 0.3])) == pytest.approx((0.1, 0.25))
    assert intervals_s(staggered([0.0])) is None
    # Due together at the start and at the end: from the first that was sent to the last.
    sends = ((0.0, 0.2), (0.0, 0.1), (0.3, 0.9), (0.3, 0.6))
    together = [
        replace(m, t_due=due, t_send=send)
        for m, (due, send) in zip(staggered([0.0] * 4), sends, strict=True)
    ]
    assert intervals_s(together) == pytest.approx((0.1, 0.8 / 3))


def test_kernel_timestamps_are_reported_as_valid_despite_client_lag() -> None:
    kernel = with_config(mode="staggered", health={"loop_lag_p99_s": 0.012, "clock": "kernel"})
    assert "The kernel timestamps what arrives" in diagnostics_of(kernel, MANY)[0].sentence


def test_failures_are_listed_by_class() -> None:
    (diagnostic,) = diagnostics_of(good(), [*MANY, failed(80), failed(81, "http_429"), failed(82)])
    assert "2 timeout, 1 http_429" in diagnostic.sentence


@pytest.mark.parametrize("error_class", ERROR_CLASSES)
def test_every_class_of_failure_has_its_advice(error_class: str) -> None:
    advice_given = advice([failed(0, error_class)])
    assert advice_given.endswith(".") and advice_given != advice([failed(0, "unknown")])


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "rejected the key"),
        (403, "rejected the key"),
        (404, "the model"),
        (422, "leave out"),
        (413, "too long"),
        (418, "leave out"),
    ],
)
def test_advice_fits_the_status_of_a_refusal(status: int, word: str) -> None:
    assert word in advice([failed(0, "http_4xx", http_status=status)])


def test_a_run_refused_completely_is_advised_on_the_key_only() -> None:
    """No longer answers, no lower concurrency, no more requests for a percentile."""
    refused = [failed(i, "http_4xx", http_status=401) for i in range(80)]
    (diagnostic,) = diagnostics_of(with_config(requests=80, concurrency=80), refused)
    assert diagnostic.title == "80 of 80 requests failed"
    assert diagnostic.sentence == (
        "Errors by class: 80 http_4xx. The server rejected the key: set a valid one, then test the "
        "backend."
    )


def test_failures_raise_no_advice_for_longer_answers() -> None:
    some = [*MANY, *(failed(80 + i) for i in range(20))]
    sentences = [
        diagnostic.sentence for diagnostic in diagnostics_of(with_config(requests=100), some)
    ]
    assert not any("longer answers" in sentence for sentence in sentences)


def test_a_place_in_flight_that_a_retry_keeps_is_not_called_a_short_answer() -> None:
    again = [replace(m, attempts=1 + (m.index == 0), cap_wait_s=0.5) for m in MANY]
    batch = with_config(requests=100)
    rate = with_config(mode="poisson", concurrency=9)
    (few,) = (d for d in diagnostics_of(batch, again) if "in flight instead" in d.title)
    assert few.sentence.startswith("Requests that wait to be sent again keep their place")
    of_rate = diagnostics_of(rate, again)
    (waited,) = (d for d in of_rate if "waited in this client" in d.title)
    assert "9 were in flight or waiting to be sent again" in waited.sentence


def test_a_retry_is_neither_late_nor_a_missed_rate() -> None:
    on_time = staggered([0.0] * 80)
    last = replace(on_time[-1], attempts=2, t_send=on_time[-1].t_due + 10, retry_wait_s=10.0)
    found = titles(with_config(mode="staggered", interval_s=0.1), [*on_time[:-1], last])
    assert "rate" not in found and "late" not in found


def test_a_repeat_ended_by_failures_is_not_advised_to_raise_the_limit() -> None:
    stopped = [measured(0), *(failed(i) for i in range(1, 4))]
    diagnostics = diagnostics_of(with_config(requests=100, stop_after_errors=3), stopped)
    (diagnostic,) = [one for one in diagnostics if one.title == "Not every request was answered"]
    assert diagnostic.sentence.endswith("because 3 had failed. Fix the failures first.")


def test_warnings_come_before_notes() -> None:
    levels = [
        diagnostic.level
        for diagnostic in diagnostics_of(good(status="cancelled"), [*MANY[:5], failed(5)])
    ]
    assert levels == sorted(levels, reverse=True) and {"warning", "note"} == set(levels)


def test_a_run_without_a_request_is_not_an_error() -> None:
    assert all(diagnostic.title for diagnostic in diagnostics_of(good(), []))


@pytest.mark.parametrize(
    ("of_client", "title"),
    [
        ({}, None),
        ({"late_p99_s": 0.02, "lag_p99_s": 0.004, "cpu_share": 0.7}, None),
        ({"late_p99_s": 0.2}, "Requests were sent 200 ms late (p99)"),
        ({"lag_p99_s": 0.02}, "This client was 20.0 ms behind"),
        ({"cpu_share": 0.97}, "This client used 97.0 % of its core"),
    ],
)
def test_a_client_past_its_limits_is_reported_while_it_measures(
    of_client: dict[str, float], title: str | None
) -> None:
    config = RunConfig(mode="staggered", interval_s=0.5)
    now = Progress(3.0, 0, 4, 1, 3, 0, 30, **of_client)
    assert [diagnostic.title for diagnostic in so_far(config, now)] == ([title] if title else [])


@pytest.mark.parametrize(
    ("mode", "clock", "late"),
    [
        ("batch", "kernel", False),
        ("batch", "loop", True),
        ("staggered", "kernel", True),
        ("sequential", "kernel", False),
    ],
)
def test_event_loop_lag_is_reported_only_where_it_affects_times(
    mode: str, clock: str, late: bool
) -> None:
    of = with_config(mode=mode, health={"loop_lag_p99_s": 0.3, "clock": clock})
    past = past_limits(of, MANY, summarize(MANY))
    assert ("This client was 300 ms behind" in [diagnostic.title for diagnostic in past]) == late


def test_past_limits_contain_only_diagnostics_of_the_client() -> None:
    of = with_config(health={"cpu_share": 0.9}, client="litellm", requests=100)
    (diagnostic,) = past_limits(of, MANY, summarize(MANY))
    assert diagnostic.title == "This client used 90.0 % of its core"


def test_short_answers_are_judged_by_their_requested_lengths() -> None:
    """Answers that end by themselves are short of nothing; those of a chosen length are."""
    run = with_config(output_distribution="uniform", max_tokens=40, ignore_eos=True)
    asked = max_tokens(run.config)
    exact = [replace(m, output_tokens=asked(m.index)) for m in MANY]
    half = [replace(m, output_tokens=asked(m.index) // 2) for m in MANY[:60]]

    def short(of: Run, measurements: list[Measurement]) -> list[str]:
        found = diagnostics_of(of, measurements)
        return [each.sentence for each in found if "shorter than requested" in each.title]

    assert not short(run, exact)
    assert not short(with_config(max_tokens=400), MANY), "no length was asked for"
    assert not short(with_config(backend="vllm", max_tokens=400, min_tokens=5), MANY)
    (sentence,) = short(with_config(backend="vllm", max_tokens=400, min_tokens=50), MANY)
    assert "They have 5 of 50 tokens, 10.0 % of what was requested, although a minimum" in sentence
    (sentence,) = short(run, [*half, *exact[60:]])
    assert "49.4 % of what was requested, although the end of text" in sentence
    (sentence,) = short(with_config(output_distribution="uniform", max_tokens=40), half)
    assert "ignore the end of text if the server supports it" in sentence
