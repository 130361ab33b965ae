"""The same stream, measured by three tools and by its server: which of their numbers are true and,
where they differ, whether the reason that Paceline gives is the right one.

`data/imports/NAME` holds what the tool wrote of 12 requests at once (the first token after 50 ms,
then one every 10 ms, 16 in all), and `log.json` when the server had each request and sent each
chunk. Each definition is checked by computing the tool's number from the files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import fmean, median, pstdev
from typing import Any

import numpy as np
import pytest

from services.analysis.metrics import metric
from services.analysis.summary import summary_row
from services.ask.measurement import Measurement
from services.report.imports import Imported, read
from services.report.imports.stated import definitions, reasons, sentence, table
from tests.conftest import ROOT
from tests.values import candidate, imported_candidate, measured

DATA = ROOT / "tests" / "data" / "imports"
FILES = {
    "vllm": "vllm/result.json",
    "guidellm": "guidellm/report.json",
    "aiperf": "aiperf/profile_export.jsonl",
}
TRUE_TTFT_S, TRUE_GAP_S = 0.05, 0.01


def imported_file(name: str) -> Imported:
    [imported] = read((DATA / name).read_bytes(), name)
    return imported


def values_of(measurements: Sequence[Measurement], name: str) -> list[float]:
    values = [metric(name).of(m) for m in measurements]
    return [value for value in values if value is not None]


def log(name: str) -> list[dict[str, Any]]:
    requests: dict[str, dict[str, Any]] = json.loads((DATA / name / "log.json").read_text())
    return list(requests.values())


def seconds(first: int, last: int) -> float:
    return (last - first) / 1e9


@pytest.mark.parametrize("name", FILES)
def test_tpot_and_counts_agree_with_the_servers_log(name: str) -> None:
    """What lies between two arrivals is hardly the client's: every tool is within 10 % of 10 ms."""
    true = [seconds(request["times"][0], request["times"][-1]) / 15 for request in log(name)]
    ours = imported_candidate(imported_file(FILES[name]))
    assert ours.summary.output_tokens == 12 * 16
    assert ours.summary.ok == 12
    assert median(values_of(ours.measurements, "tpot_s")) == pytest.approx(median(true), rel=0.10)


@pytest.mark.parametrize("name", FILES)
def test_ttft_is_longer_than_the_servers_by_what_the_client_adds(name: str) -> None:
    """No tool can see a token before it was sent. What it is late by is in its TTFT: with twelve
    requests at once, opening the connections and its own work, a tool adds 1 to 60 ms."""
    true = median(seconds(request["arrived"], request["times"][0]) for request in log(name))
    ttft = median(values_of(imported_file(FILES[name]).measurements, "ttft_s"))
    assert 0 < ttft - true < 0.06
    assert true == pytest.approx(TRUE_TTFT_S, abs=0.02)


# --- vllm bench serve: same definitions but for the wall clock and the standard deviation --------


def test_vllm_agrees_with_what_we_compute_from_its_requests() -> None:
    imported = imported_file(FILES["vllm"])
    ours = summary_row(imported_candidate(imported).summary)
    for name in ("ttft_s", "tpot_s", "e2e_s", "inter_chunk_s"):
        for statistic in ("mean", "median"):
            key = f"{name}_{statistic}"
            assert imported.source["stated"][key] == pytest.approx(ours[key], rel=1e-6), key
    assert ours["ttft_s_p90"] is None  # of twelve requests
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        p90 = float(np.percentile(values_of(imported.measurements, name), 90))
        assert imported.source["stated"][f"{name}_p90"] == pytest.approx(p90, rel=1e-6), name
    stated = imported.source["stated"]["inter_chunk_s_p90"]
    assert stated == pytest.approx(ours["inter_chunk_s_p90"], rel=1e-6)


def test_vllms_throughput_is_lower_because_its_clock_runs_longer() -> None:
    imported = imported_file(FILES["vllm"])
    candidate = imported_candidate(imported)
    stated, ours = imported.source["stated"], candidate.summary
    duration = imported.repeats[0].duration_s
    assert duration
    assert stated["output_tokens_per_s"] == pytest.approx(12 * 16 / duration)
    assert ours.repeats[0].window_s is not None
    assert ours.repeats[0].window_s < duration
    assert stated["output_tokens_per_s"] < (ours.output_tokens_per_s or 0)
    assert "its own wall-clock time" in imported.source["definitions"]["output_tokens_per_s"]


@pytest.mark.parametrize("name", ["vllm", "guidellm"])
def test_tools_divide_the_standard_deviation_by_n(name: str) -> None:
    imported = imported_file(FILES[name])
    stated = imported.source["stated"]["ttft_s_sd"]
    assert stated == pytest.approx(pstdev(values_of(imported.measurements, "ttft_s")), rel=1e-3)
    assert "Paceline by n − 1" in imported.source["definitions"]["ttft_s_sd"]


# --- guidellm: observed percentiles, gaps that count, a stream that ends later -------------------


def test_guidellms_median_is_the_upper_of_two_middle_values() -> None:
    imported = imported_file(FILES["guidellm"])
    seen = sorted(values_of(imported.measurements, "ttft_s"))
    stated = imported.source["stated"]["ttft_s_median"]
    assert stated == pytest.approx(seen[6], abs=1e-5)
    assert median(seen) < stated
    assert "the upper of the two" in imported.source["definitions"]["ttft_s_median"]


def test_guidellms_inter_token_latency_is_our_tpot() -> None:
    imported = imported_file(FILES["guidellm"])
    stated = imported.source["stated"]["tpot_s_mean"]
    assert stated == pytest.approx(
        fmean(values_of(imported.measurements, "tpot_s")), rel=1e-3
    )  # alike weighted
    assert "Called inter-token latency" in imported.source["definitions"]["tpot_s_mean"]


def test_guidellms_time_per_output_token_differs_and_is_not_imported() -> None:
    """It is E2E / tokens: 13.4 ms where a token came every 10 ms."""
    report = json.loads((DATA / FILES["guidellm"]).read_text())
    theirs = report["benchmarks"][0]["metrics"]["time_per_output_token_ms"]["successful"]["mean"]
    imported = imported_file(FILES["guidellm"])
    assert theirs / 1e3 == pytest.approx(
        fmean(values_of(imported.measurements, "e2e_s")) / 16, rel=1e-4
    )
    assert theirs / 1e3 > 1.25 * TRUE_GAP_S
    assert not any(
        value == pytest.approx(theirs / 1e3) for value in imported.source["stated"].values()
    )


def test_guidellms_latency_ends_with_the_stream_and_ours_with_the_last_token() -> None:
    imported = imported_file(FILES["guidellm"])
    ended = [m.t_end - m.t_send for m in imported.measurements if m.t_end and m.t_send is not None]
    stated = imported.source["stated"]["e2e_s_mean"]
    assert stated == pytest.approx(fmean(ended), rel=1e-6)
    assert stated > fmean(values_of(imported.measurements, "e2e_s"))
    assert "End of the stream" in imported.source["definitions"]["e2e_s_mean"]


# --- aiperf: same definitions, over the time of its phase ----------------------------------------


def test_aiperfs_aggregate_agrees_with_what_we_compute_from_its_records() -> None:
    stated = imported_file("aiperf/profile_export_aiperf.json").source["stated"]
    records = imported_file(FILES["aiperf"]).measurements
    for name in ("ttft_s", "e2e_s", "tpot_s", "tokens_per_s", "decode_tokens_per_s"):
        values = values_of(records, name)
        assert stated[f"{name}_mean"] == pytest.approx(fmean(values), rel=1e-4), name
        assert stated[f"{name}_median"] == pytest.approx(median(values), rel=1e-4), name
        assert stated[f"{name}_p90"] == pytest.approx(np.percentile(values, 90), rel=1e-4), name
        assert stated[f"{name}_sd"] == pytest.approx(pstdev(values), rel=1e-3), name
    gaps = [step for m in records for step in np.diff(m.token_times)]
    assert stated["inter_chunk_s_mean"] == pytest.approx(fmean(gaps), rel=1e-4)


def test_aiperfs_throughput_is_over_its_profiling_phase() -> None:
    report = json.loads((DATA / "aiperf" / "profile_export_aiperf.json").read_text())
    imported = imported_file("aiperf/profile_export_aiperf.json")
    start, end = (np.datetime64(report[name]) for name in ("start_time", "end_time"))
    phase = (end - start) / np.timedelta64(1, "s")
    assert imported.source["stated"]["output_tokens_per_s"] == pytest.approx(192 / phase, rel=1e-4)
    ours = imported_candidate(imported_file(FILES["aiperf"])).summary.output_tokens_per_s
    assert imported.source["stated"]["output_tokens_per_s"] < (ours or 0)
    assert "profiling phase" in imported.source["definitions"]["output_tokens_per_s"]


def test_aiperf_counts_connecting_as_time_to_first_token() -> None:
    """Twelve new connections: its TTFT is above the server's by about what its own trace says that
    connecting and sending took."""
    records = [json.loads(line) for line in (DATA / FILES["aiperf"]).read_text().splitlines()]
    sending = median(r["metrics"]["http_req_sending"]["value"] / 1e3 for r in records)
    true = median(seconds(request["arrived"], request["times"][0]) for request in log("aiperf"))
    ttft = median(values_of(imported_file(FILES["aiperf"]).measurements, "ttft_s"))
    assert ttft - true == pytest.approx(sending, rel=0.35)
    definition = imported_file("aiperf/profile_export_aiperf.json").source["definitions"][
        "ttft_s_mean"
    ]
    assert "connecting is part of it" in definition


# --- the others, by their own formulas -----------------------------------------------------------


def test_llmperfs_inter_token_latency_is_latency_over_events_and_is_not_imported() -> None:
    rows = json.loads((DATA / "llmperf" / "individual_responses.json").read_text())
    for row in rows:  # 16 tokens came in 18 events: one with the role, one with the finish reason
        events = row["end_to_end_latency_s"] / row["inter_token_latency_s"]
        assert events == pytest.approx(18, rel=0.02)
    assert "tpot_s_mean" not in imported_file("llmperf/summary.json").source["stated"]


def test_inference_perfs_latency_ends_with_the_stream() -> None:
    stated = imported_file("inference-perf/summary_lifecycle_metrics.json").source["stated"]
    requests = imported_file("inference-perf/per_request_lifecycle_metrics.json").measurements
    ended = [m.t_end - m.t_send for m in requests if m.t_end and m.t_send is not None]
    assert stated["e2e_s_mean"] == pytest.approx(fmean(ended), rel=1e-6)
    assert stated["ttft_s_mean"] == pytest.approx(fmean(values_of(requests, "ttft_s")), rel=1e-6)
    assert stated["tpot_s_mean"] == pytest.approx(fmean(values_of(requests, "tpot_s")), rel=1e-6)


def test_sglangs_tpot_is_slightly_high_where_its_latency_ends_after_the_last_token() -> None:
    imported = imported_file("sglang/0.5.2_against_llamacpp.jsonl")
    ours = fmean(values_of(imported.measurements, "tpot_s"))
    assert 1 < imported.source["stated"]["tpot_s_mean"] / ours < 1.01


# --- the table of both numbers -------------------------------------------------------------------


def test_the_table_says_both_numbers_the_difference_and_the_definition() -> None:
    candidate = imported_candidate(imported_file(FILES["vllm"]))
    agreement = table(candidate)
    rows = {row[0]: row[1:] for row in agreement.rows}
    assert rows["TTFT, median"][2] == "none"
    theirs, ours, difference = rows["TTFT, std dev"]
    assert theirs != ours
    assert difference.startswith("−4")  # √(11/12) − 1
    why = dict(definitions(candidate).rows)
    assert any(
        "TTFT, std dev" in what and "Paceline by n − 1" in definition
        for what, definition in why.items()
    )
    assert sentence(candidate) == (
        "vLLM bench: 14 of 21 numbers that can be compared match Paceline's, 7 differ."
    )
    reason_of = dict(reasons(candidate))
    assert len(reason_of) == 2, "rates, and standard deviations"
    rates, spreads = reason_of
    assert "Output throughput −0.129 %" in rates
    assert "its own wall-clock time" in reason_of[rates]
    assert "TTFT, std dev −4.26 %" in spreads
    assert "Paceline by n − 1" in reason_of[spreads]
    assert not any("TTFT, median" in what for what in reason_of)
    assert rows["Output throughput"][2].startswith("−")
    assert agreement.columns[1] == "vLLM bench"


def test_a_summary_without_requests_has_no_column_of_ours() -> None:
    agreement = table(imported_candidate(imported_file("vllm/serve_summary.json")))
    assert agreement.columns == ("", "vLLM bench")
    assert "only this summary" in agreement.note


def test_a_run_of_our_own_has_no_agreement_table() -> None:
    assert table(candidate([measured()])).rows == ()
