"""The five numbers of a run that come first, by what is known of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.analysis.compare import Candidate
from services.ask.prices import Hourly
from services.report.export.tiles import of_run
from services.report.key_figures import key_figures
from tests.values import candidate, failed, measured, repeats

SEQUENTIAL = {"mode": "sequential", "pause_s": 2.0}


def names(run: Candidate) -> list[str]:
    return [figure.label for figure in key_figures(run)]


def test_a_streamed_run_has_speed_first_token_throughput_failures_and_latency() -> None:
    assert names(candidate(repeats())) == [
        "Tokens/s per request",
        "TTFT, median",
        "Output throughput",
        "Error rate",
        "E2E latency, median",
    ]


def test_a_known_price_takes_the_place_of_the_latency() -> None:
    assert names(candidate(repeats(), Hourly(2.5)))[-1] == "Cost, sum"


def test_a_run_without_streaming_shows_latency_instead_of_ttft() -> None:
    whole = [replace(m, t_first=None, t_answer=None, token_times=()) for m in repeats()]
    assert names(candidate(whole))[2:] == ["Error rate", "E2E latency, median", "Requests/s"]


def test_throughput_that_includes_the_clients_own_wait_comes_last() -> None:
    assert names(candidate(repeats(), **SEQUENTIAL))[-1] == "Output throughput"


def test_failures_are_marked() -> None:
    def bad(run: Candidate) -> list[str]:
        return [figure.name for figure in key_figures(run) if figure.bad]

    assert bad(candidate([*repeats(), failed(9)])) == ["error_rate"]
    assert bad(candidate(repeats())) == []


def test_requests_that_succeeded_on_a_later_attempt_are_counted_as_failed_at_first() -> None:
    retried = [replace(m, attempts=2) for m in repeats()]
    (figure,) = (f for f in key_figures(candidate(retried)) if f.name == "error_rate")
    count = len(retried)
    assert figure.bad and figure.value == "100 %"
    assert figure.about == f"{count} at first, then 0"


def test_where_nothing_succeeded_there_is_no_number() -> None:
    assert key_figures(candidate([failed(0)])) == ()


@pytest.mark.parametrize(
    ("count", "about"), [(1, "of one request"), (2, "slowest 1.00 s"), (72, "p95 1.00 s")]
)
def test_the_tail_is_p95_where_there_are_enough_requests(count: int, about: str) -> None:
    figures = key_figures(candidate([measured(index) for index in range(count)]))
    assert next(figure.about for figure in figures if figure.name == "ttft_s_median") == about


@pytest.mark.parametrize(
    ("vary", "about"), [((1.0,), "over 1 repeat"), ((1.0, 1.02, 0.98), "95 % 6.34–7.01")]
)
def test_throughput_has_its_interval_over_three_repeats(
    vary: tuple[float, ...], about: str
) -> None:
    figures = key_figures(candidate(repeats(1.0, vary)))
    assert next(f.about for f in figures if f.name == "output_tokens_per_s") == about


def test_a_file_and_a_shared_page_show_the_same_five_figures() -> None:
    run = candidate(repeats())
    shown = [(tile.lines[0].value, tile.lines[0].about) for tile in of_run(run)]
    assert [about for _, (about,) in shown] == [figure.about for figure in key_figures(run)]
    assert [value.partition(" tokens/s")[0] for value, _ in shown] == [
        figure.value for figure in key_figures(run)
    ]
