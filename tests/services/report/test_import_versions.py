"""Other versions of the tools' files, and other tools: each number that is right for its sample."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from services.analysis.summary import summarize, summary_row
from services.report.imports import InvalidImport, fields, read
from services.report.imports.stated import table
from tests.conftest import ROOT
from tests.values import imported_candidate

DATA = ROOT / "tests" / "data" / "imports"


def only(name: str) -> Any:
    [run] = read((DATA / name).read_bytes(), name)
    return run


def changed(name: str, change: Any) -> Any:
    document = json.loads((DATA / name).read_text())
    change(document)
    [run] = read(json.dumps(document).encode(), name)
    return run


NUMBERS: dict[str, dict[str, Any]] = {  # of the requests, worked out anew
    "guidellm/0.3.json": {
        "ok": 3,
        "ttft_s_median": 0.1,
        "e2e_s_median": 0.48,
        "tpot_s_median": 0.38 / 4,
        "output_tokens": 15,
    },
    "genai-perf/not_streamed.json": {
        "ok": 3,
        "ttft_s_median": None,
        "e2e_s_median": 0.05,
        "tpot_s_median": None,
        "output_tokens": 24,
    },
    "genai-perf/triton.json": {
        "ok": 3,
        "ttft_s_median": 0.05,
        "e2e_s_median": 0.07,
        "output_tokens": None,
    },
    "inference-perf/0.4_per_request.json": {
        "ok": 3,
        "ttft_s_median": 0.05,
        "tpot_s_median": 0.01,
        "output_tokens": 24,
    },
    "inference-perf/0.5_per_request.json": {
        "ok": 3,
        "ttft_s_median": 0.05,
        "tpot_s_median": 0.01,
        "output_tokens": 24,
    },
    "genai-bench/c4.json": {
        "ok": 3,
        "ttft_s_median": 0.2,
        "e2e_s_median": 0.6,
        "tpot_s_median": 0.1,
    },
}
STATED = {  # by the tool, in SI
    "aiperf/0.1.json": {"ttft_s_median": 0.052, "tpot_s_mean": 0.0264, "requests_per_s": 2.5},
    "inferencex/seconds.json": {"ttft_s_median": 0.1, "tpot_s_p99": 0.01, "e2e_s_mean": 1.1},
    "evalscope/benchmark_summary.json": {
        "ok": 98,
        "failed": 2,
        "ttft_s_mean": 0.08,
        "tpot_s_mean": 0.014,
        "e2e_s_mean": 1.5,
        "output_tokens_per_s": 490,
        "inter_chunk_s_mean": 0.0141,
    },
    "evalscope/benchmark_percentile.json": {
        "ttft_s_median": 0.081,
        "e2e_s_p99": 5.5,
        "tpot_s_p95": 0.014,
    },
    "locust/results_stats.csv": {
        "ok": 38,
        "failed": 2,
        "e2e_s_median": 0.9,
        "e2e_s_p95": 1.8,
        "requests_per_s": 4,
    },
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_requests_of_another_version_give_the_right_numbers(name: str) -> None:
    row = summary_row(summarize(only(name).measurements))
    for number, right in NUMBERS[name].items():
        assert row[number] == (right if right is None else pytest.approx(right, abs=1e-6)), number


@pytest.mark.parametrize("name", STATED)
def test_the_numbers_of_another_tool_are_in_si(name: str) -> None:
    stated = only(name).source["stated"]
    for number, right in STATED[name].items():
        assert stated[number] == pytest.approx(right), number


def test_both_evalscope_formats_give_the_same_numbers() -> None:
    both = [only(f"evalscope/{v}benchmark_summary.json").source["stated"] for v in ("", "0.17_")]
    assert both[0] == pytest.approx(both[1])
    assert only("evalscope/benchmark_summary.json").config.concurrency == 8


def test_no_failure_of_evalscope_is_a_number_and_no_token_time_is_not() -> None:
    def none(document: Any) -> None:
        document |= {"Failed Requests": 0, "TPOT (ms)": 0.0, "ITL (ms)": -1}

    stated = changed("evalscope/benchmark_summary.json", none).source["stated"]
    assert stated["failed"] == 0
    assert not {"tpot_s_mean", "inter_chunk_s_mean"} & set(stated)


def test_the_table_of_a_vllm_sweep_has_a_run_for_each_line() -> None:
    result = json.loads((DATA / "vllm/serve_summary.json").read_text())
    cells = {"": 0, **result, "model_id": "7", "latencies": "[0.5, 0.6]", "request_rate": "inf"}
    text = io.StringIO()
    table = csv.DictWriter(text, cells)
    table.writeheader()
    table.writerows([cells, cells | {"completed": 0}])
    first, second = read(text.getvalue().encode(), "summary.csv")
    assert first.source["stated"] == only("vllm/serve_summary.json").source["stated"]
    assert (first.config.model, first.config.requests) == ("7", result["num_prompts"])
    assert first.started_at == only("vllm/serve_summary.json").started_at
    assert "latencies" not in first.source["facts"]
    assert second.source["stated"]["ok"] == 0


@pytest.mark.parametrize("ramp", [{}, {"ramp_up_strategy": "linear", "ramp_up_end_rps": 3}])
def test_a_vllm_run_that_ramped_up_did_not_send_everything_at_once(ramp: dict[str, Any]) -> None:
    def at_once(document: Any) -> None:
        document |= {"request_rate": "inf", "max_concurrency": None} | ramp
        document.pop("start_times", None)

    run = changed("vllm/result.json", at_once)
    assert run.measurements
    assert run.source["placed"] is not bool(ramp)
    assert ("mode" in run.source["known"]) is not bool(ramp)
    assert not ramp or run.source["facts"]["ramp_up_strategy"] == "linear"


@pytest.mark.parametrize("unit", ["us", None, ["s"]])
def test_an_unknown_unit_of_genai_bench_is_refused(unit: Any) -> None:
    with pytest.raises(InvalidImport, match="Paceline reads s and ms"):
        changed("genai-bench/c4.json", lambda document: document.update(_time_unit=unit))


def test_a_request_that_guidellm_cut_off_is_cancelled() -> None:
    def cut_off(document: Any) -> None:
        groups = document["benchmarks"][0]["requests"]
        request = groups["successful"].pop()
        request |= {
            "first_token_time": None,
            "last_token_time": None,
            "error": "TimeoutError: late.",
        }
        groups["incomplete"].append(request)

    run = changed("guidellm/0.3.json", cut_off)
    assert [m.status for m in run.measurements] == ["ok", "ok", "cancelled"]
    assert run.measurements[2].output_tokens is None
    assert run.source["placed"]


@pytest.mark.parametrize("name", ["guidellm/0.3.json", "guidellm/report.json"])
def test_of_a_sample_of_guidellms_requests_only_the_summary_is_read(name: str) -> None:
    def sample(document: Any) -> None:
        del document["benchmarks"][0]["requests"]["successful"][1:]

    whole, run = only(name), changed(name, sample)
    assert run.measurements == ()
    assert run.source["stated"] == whole.source["stated"]
    assert run.source["stated"]["ok"] == len(whole.measurements) == run.config.requests
    assert run.source["facts"]["requests listed, not read"] == 1


def test_the_warm_up_of_aiperf_is_in_no_number() -> None:
    def slow(row: Any) -> Any:
        row["metadata"]["benchmark_phase"] = "warmup"
        row["metrics"]["inter_token_latency"]["value"] *= 100
        return row

    lines = (DATA / "aiperf/profile_export.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    rows.sort(key=lambda row: row["metadata"]["request_start_ns"])
    first = rows[4]["metadata"]["credit_issued_ns"]
    [run] = read("\n".join(map(json.dumps, [*map(slow, rows[:4]), *rows[4:]])).encode(), "x.jsonl")
    assert len(run.measurements) == len(rows) - 4
    ours = summary_row(summarize(run.measurements))["tpot_s_mean"]
    assert run.source["stated"]["tpot_s_mean"] == pytest.approx(ours)
    assert run.started_at == fields.moment(first * 1e-9)


def test_the_means_of_inference_perf_are_those_of_successes() -> None:
    def request(at: float, tpot_s: float, error: Any) -> dict[str, Any]:
        computed = {"time_per_output_token": tpot_s}
        return {"start_time": at, "end_time": at + 1, "info": {}, "error": error} | {
            "computed_metrics": computed
        }

    failed = {"error_type": "TimeoutError", "error_msg": "late"}
    rows = [request(1.0, 0.01, None), request(2.0, 0.5, failed)]
    [run] = read(json.dumps(rows).encode(), "x.json")
    assert run.source["stated"] == {"tpot_s_mean": 0.01}


def test_aiperf_before_versions_says_model_and_load() -> None:
    config = only("aiperf/0.1.json").config
    assert (config.model, config.concurrency) == ("org/small", 10)


def test_triton_counts_its_chunks_and_says_its_errors() -> None:
    assert [len(m.token_times) for m in only("genai-perf/triton.json").measurements] == [3, 3, 3]

    def fail(document: Any) -> None:
        outputs = document["experiments"][0]["requests"][0]["response_outputs"]
        outputs[:] = [{"error": "request timed out in the queue"}]

    first = changed("genai-perf/triton.json", fail).measurements[0]
    assert (first.status, first.error_class) == ("failed", "timeout")
    assert first.error == "request timed out in the queue"


def test_inferencex_is_a_run_for_each_configuration_with_the_rates_of_all_its_gpus() -> None:
    runs = read((DATA / "inferencex" / "aggregate.json").read_bytes(), "agg.json")
    assert [run.source["stated"]["output_tokens_per_s"] for run in runs] == [800, 400]
    assert [run.source["stated"]["ttft_s_median"] for run in runs] == [0.1, 0.1]
    assert [run.config.concurrency for run in runs] == [16, 32]
    assert len({run.name for run in runs}) == 2


def test_llmperf_by_concurrency_is_a_run_for_each() -> None:
    runs = read((DATA / "llmperf" / "by_concurrency.json").read_bytes(), "f.json")
    assert [run.config.concurrency for run in runs][1:] == [4, 16]
    assert [run.source["stated"]["output_tokens_per_s"] for run in runs] == [30, 120, 480]


def test_llmperf_answers_with_too_few_tokens_have_their_own_error_class() -> None:
    def short(document: Any) -> None:
        document[0] |= {"error_code": -100, "error_msg": "Output too few tokens 502"}
        document[1] |= {"error_code": 429, "error_msg": "slow down"}

    first, second, *_ = changed("llmperf/individual_responses.json", short).measurements
    assert (first.status, first.error_class) == ("failed", "too_short")
    assert first.t_first and first.t_last and first.output_tokens
    assert second.error_class == "http_429"


def test_locust_with_several_requests_has_a_run_for_each_and_for_all() -> None:
    head, line, total = (DATA / "locust" / "results_stats.csv").read_text().splitlines()
    runs = read("\n".join([head, line, line.replace("/v1", "/v2"), total]).encode(), "s.csv")
    assert [run.source["facts"]["Name"] for run in runs] == [
        "/v1/completions",
        "/v2/completions",
        "Aggregated",
    ]


def test_unread_fields_are_named() -> None:
    def more(document: Any) -> None:
        document["benchmarks"][0]["metrics"]["new_metric_ms"] = {"successful": {"mean": 1}}
        document["benchmarks"][0]["server_load"] = [1, 2, 3]

    run = changed("guidellm/0.3.json", more)
    assert {"metrics.new_metric_ms", "server_load", "run_stats"} <= set(run.source["unread"])
    assert not any("time_to_first_token" in name for name in run.source["unread"])
    assert "metrics.new_metric_ms" in table(imported_candidate(run)).note


def test_a_file_with_more_requests_than_a_run_can_have_says_how_many() -> None:
    def many(document: Any) -> None:
        document["request_count"]["avg"] = 1_047_002

    run = changed("aiperf/0.1.json", many)
    assert "1,047,002 requests" in run.name
    assert "requests" not in run.source["known"]


TRACEBACK = """Traceback (most recent call last):
  File "/opt/lib/python3.12/site-packages/bench/request.py", line 417, in ask
    async with session.post(url=url, json=payload, headers=headers) as response:
  File "/opt/lib/python3.12/site-packages/aiohttp/client.py", line 503, in _request
    {}
"""


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Too Many Requests", "http_429"),
        ("Service Unavailable", "http_5xx"),
        ("Forbidden", "http_4xx"),
        ("Gateway Timeout", "http_5xx"),
        ("503 Service Unavailable", "http_5xx"),
        ("Error code: 429 - {'error': {'message': 'slow down'}}", "http_429"),
        ("HTTPStatusError: Client error '404 Not Found' for url", "http_4xx"),
        ("Unexpected status code: 500", "http_5xx"),
        ("HTTP/1.1 502", "http_5xx"),
        ('{"code":500,"message":"x"}', "http_5xx"),
        ("asyncio.exceptions.TimeoutError", "timeout"),
        ("Connection timeout to host http://10.0.0.1:8000", "timeout_connect"),
        ("Cannot connect to host 10.0.0.1:500 ssl:default", "connect"),
        ("aiohttp.client_exceptions.ServerDisconnectedError", "connect"),
        ("ClientPayloadError: Response payload is not completed", "truncated"),
        ("Output too few tokens 502", "too_short"),
        ("the maximum context length is 8192, you requested 512 output tokens", "http_4xx"),
        ("you requested 512 output tokens", None),
        ("500 tokens were wanted", None),
        ("something failed in line 417", None),
        ("KeyError: 'choices' (line 503)", None),
    ],
)
def test_an_error_is_classed_by_what_it_says(message: str, kind: str | None) -> None:
    assert fields.error_class(message) == kind
    assert fields.failure(TRACEBACK.format("raise it") + message) == (message, kind)


@pytest.mark.parametrize("value", [1e-320, 5e-324, -1e-310, float("inf"), float("nan"), 10**400])
def test_a_number_that_no_database_can_store_is_none_or_zero(value: Any) -> None:
    assert fields.number(value) in (None, 0.0)
    assert fields.seconds(value) in (None, 0.0)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["vllm/result.json", "locust/results_stats.csv"])
def test_a_file_is_read_in_every_encoding_of_unicode(name: str, encoding: str) -> None:
    text = (DATA / name).read_text()
    [run] = read(text.encode(encoding), name)
    assert run.source["stated"] == only(name).source["stated"]


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_a_table_is_read_whatever_separates_its_columns(sign: str) -> None:
    text = (DATA / "locust" / "results_stats.csv").read_text().replace(",", sign)
    if sign == ";":  # as a German spreadsheet writes it
        text = text.replace(".", ",")
    [run] = read(text.encode(), "s.csv")
    assert run.source["stated"] == only("locust/results_stats.csv").source["stated"]


def test_a_table_whose_separator_is_not_certain_is_not_guessed() -> None:
    with pytest.raises(InvalidImport, match="ambiguous separator"):
        read(b"a;b,c\n1;2,3\n4;5,6\n", "s.csv")


def test_a_rounding_error_is_shown_as_no_difference() -> None:
    """A standard deviation of three times 0.2 is 0 there and 3e-17 here."""
    shown = table(imported_candidate(only("genai-bench/c4.json")))
    assert {row[3] for row in shown.rows if row[0] == "TTFT, std dev"} == {"none"}
