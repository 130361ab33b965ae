"""Every metric against numbers worked out by hand, and every rule for having none."""

from __future__ import annotations

import json

import pytest

from services.analysis.metrics import FIELDS, METRICS, Metric, metric, request_row
from services.analysis.summary.gaps import gaps
from services.ask.measurement import Measurement
from tests.values import failed, measured

# Due at 10.0, sent at 10.5, first token at 11.5, answer at 12.0, last token at 14.5; 7 tokens.
WHOLE = Measurement(
    repeat=1,
    index=4,
    status="ok",
    t_due=10.0,
    t_send=10.5,
    t_first=11.5,
    t_answer=12.0,
    t_last=14.5,
    t_end=14.6,
    token_times=(11.5, 12.0, 12.25, 14.5),
    retry_wait_s=0.125,
    cap_wait_s=0.25,
    server_queue_s=0.25,
    load_s=0.125,
    prefill_s=0.5,
    prompt_tokens=30,
    output_tokens=7,
    token_source="usage",
)


BY_HAND = {
    "ttft_s": 1.0,
    "ttfa_s": 1.5,
    "e2e_s": 4.0,
    "scheduled_s": 4.5,
    "scheduled_ttft_s": 1.5,
    "queue_s": 0.5,
    "retry_wait_s": 0.125,
    "cap_wait_s": 0.25,
    "server_queue_s": 0.25,
    "load_s": 0.125,
    "prefill_s": 0.5,
    "network_s": 0.125,
    "tpot_s": 3.0 / 6,
    "tokens_per_s": 7 / 4.0,
    "decode_tokens_per_s": 6 / 3.0,
    "output_tokens": 7,
    "prompt_tokens": 30,
}


@pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)
def test_every_metric_matches_its_formula_by_hand(entry: Metric) -> None:
    assert entry.of(WHOLE) == pytest.approx(BY_HAND[entry.name], rel=1e-12)


@pytest.mark.parametrize("entry", METRICS, ids=lambda entry: entry.name)
def test_a_request_without_observations_has_no_metric(entry: Metric) -> None:
    nothing = Measurement(0, 0, "failed", 0.0)
    assert entry.of(nothing) is None


NOT_STREAMED = measured(t_first=None, t_answer=None, token_times=())
ONE_TOKEN = measured(tokens=1, e2e=1.0)
IN_ONE_CHUNK = measured(e2e=1.0, token_times=(1.0,))
UNCOUNTED = measured(output_tokens=None, token_source="unknown")
EMPTY = measured(output_tokens=0)
BROKEN_OFF = measured(status="failed", error_class="truncated", output_tokens=5)
CANCELLED = measured(status="cancelled", output_tokens=None)
REASONING_ONLY = measured(t_answer=None)


@pytest.mark.parametrize(
    ("m", "without"),
    [
        (NOT_STREAMED, {"ttft_s", "ttfa_s", "tpot_s", "decode_tokens_per_s"}),
        (ONE_TOKEN, {"tpot_s", "decode_tokens_per_s"}),
        (IN_ONE_CHUNK, {"tpot_s", "decode_tokens_per_s"}),
        (UNCOUNTED, {"tpot_s", "tokens_per_s", "decode_tokens_per_s", "output_tokens"}),
        (EMPTY, {"tpot_s", "tokens_per_s", "decode_tokens_per_s"}),
        (BROKEN_OFF, {"e2e_s", "scheduled_s", "tokens_per_s"}),
        (
            CANCELLED,
            {
                "e2e_s",
                "scheduled_s",
                "tokens_per_s",
                "tpot_s",
                "decode_tokens_per_s",
                "output_tokens",
            },
        ),
        (REASONING_ONLY, {"ttfa_s"}),
    ],
    ids=[
        "not streamed",
        "one token",
        "in one chunk",
        "uncounted",
        "empty",
        "failed",
        "cancelled",
        "no answer",
    ],
)
def test_unmeasured_values_are_none(m: Measurement, without: set[str]) -> None:
    nothing = {entry.name for entry in METRICS if entry.of(m) is None}
    if "ttft_s" in without:
        without = without | {"scheduled_ttft_s"}
    unreported = {"server_queue_s", "load_s", "prefill_s", "network_s"}
    assert nothing == without | unreported | {"cap_wait_s", "retry_wait_s"}


def test_a_time_of_zero_is_not_unknown() -> None:
    at_once = measured(ttft=0.0)
    assert metric("ttft_s").of(at_once) == 0.0
    assert metric("queue_s").of(at_once) == 0.0


def test_inter_chunk_latencies_are_all_gaps_between_chunks() -> None:
    assert gaps([WHOLE]).tolist() == [0.5, 0.25, 2.25]
    assert gaps([IN_ONE_CHUNK, NOT_STREAMED]).tolist() == []


def test_a_row_has_the_fields_of_the_api_in_their_order() -> None:
    assert ", ".join(request_row(WHOLE)) == ", ".join(FIELDS)
    assert ", ".join(FIELDS) == (
        "index, repeat, status, error_class, error, http_status, due_s, sent_s, ttft_s, ttfa_s, "
        "e2e_s, tpot_s, tokens_per_s, decode_tokens_per_s, prompt_tokens, output_tokens, "
        "cached_tokens, token_source, finish_reason"
    )


def test_a_row_is_json_ready_and_contains_what_was_observed() -> None:
    row = json.loads(json.dumps(request_row(failed(3, error="gone", http_status=503))))
    assert row["index"] == 3
    assert (row["status"], row["error_class"], row["error"]) == ("failed", "timeout", "gone")
    assert (row["http_status"], row["sent_s"], row["e2e_s"]) == (503, 0.0, None)


def test_an_unknown_metric_is_an_error() -> None:
    with pytest.raises(KeyError):
        metric("speed")
