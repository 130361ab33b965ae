"""Real files of other tools, read; and files that nobody should trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analysis.metrics import request_row
from services.analysis.summary import summarize, summary_row
from services.ask.measurement import Measurement
from services.ask.own_prompts import without_prompts
from services.ask.sessions import sessions_of
from services.ask.workloads.entries import prompts_of
from services.report.export import export
from services.report.export.document import run_document
from services.report.export.parquet import requests_parquet
from services.report.export.tables import requests_csv
from services.report.imports import IMPORTS, InvalidImport, fields, parse, read
from services.report.imports.stated import definitions, table
from services.report.theme import request_numbers
from tests.conftest import ROOT
from tests.values import candidate, failed, imported_candidate, measured

DATA = ROOT / "tests" / "data" / "imports"
FILES = {  # tool, runs, requests of the first, mode of the first
    "vllm/result.json": ("vLLM bench", 1, 12, "batch"),
    "vllm/serve_summary.json": ("vLLM bench", 1, 0, "staggered"),
    "vllm/serve_custom_detailed.json": ("vLLM bench", 1, 3, "sequential"),
    "vllm/sweep_summary.json": ("vLLM bench", 1, 0, "batch"),
    "vllm/latency.json": ("vLLM bench latency", 1, 0, "batch"),
    "vllm/throughput.json": ("vLLM bench throughput", 1, 0, "batch"),
    "sglang/0.5.23.jsonl": ("SGLang bench", 1, 8, "batch"),
    "sglang/0.5.2_against_llamacpp.jsonl": ("SGLang bench", 1, 8, "batch"),
    "guidellm/report.json": ("guidellm", 1, 12, "batch"),
    "aiperf/profile_export_aiperf.json": ("aiperf", 1, 0, "batch"),
    "aiperf/profile_export.jsonl": ("aiperf", 1, 12, "batch"),
    "genai-perf/profile_export.json": ("genai-perf", 1, 12, "batch"),
    "genai-perf/profile_export_genai_perf.json": ("genai-perf", 1, 0, "batch"),
    "inference-perf/summary_lifecycle_metrics.json": ("inference-perf", 1, 0, "batch"),
    "inference-perf/stage_0_lifecycle_metrics.json": ("inference-perf", 1, 0, "batch"),
    "inference-perf/per_request_lifecycle_metrics.json": ("inference-perf", 1, 12, "batch"),
    "llmperf/summary.json": ("llmperf", 1, 0, "batch"),
    "llmperf/individual_responses.json": ("llmperf", 1, 12, "batch"),
    "system-d/results.csv": ("results.csv", 1, 5, "batch"),
    "aiperf/0.1.json": ("aiperf", 1, 0, "batch"),
    "evalscope/0.17_benchmark_summary.json": ("evalscope", 1, 0, "batch"),
    "evalscope/benchmark_percentile.json": ("evalscope", 1, 0, "batch"),
    "evalscope/benchmark_summary.json": ("evalscope", 1, 0, "batch"),
    "genai-bench/c4.json": ("genai-bench", 1, 3, "batch"),
    "genai-perf/not_streamed.json": ("genai-perf", 1, 3, "batch"),
    "genai-perf/triton.json": ("genai-perf", 1, 3, "batch"),
    "guidellm/0.3.json": ("guidellm", 1, 3, "staggered"),
    "inference-perf/0.4_per_request.json": ("inference-perf", 1, 3, "batch"),
    "inference-perf/0.5_per_request.json": ("inference-perf", 1, 3, "batch"),
    "inferencex/aggregate.json": ("InferenceX", 2, 0, "batch"),
    "inferencex/seconds.json": ("vLLM bench", 1, 0, "batch"),
    "llmperf/by_concurrency.json": ("llmperf", 3, 0, "sequential"),
    "locust/results_stats.csv": ("locust", 1, 0, "batch"),
}


def runs_of(name: str) -> list[Any]:
    return read((DATA / name).read_bytes(), name)


@pytest.mark.parametrize("name", FILES)
def test_a_tools_file_is_read_whatever_it_is_called(name: str) -> None:
    tool, runs, requests, mode = FILES[name]
    runs_read = read((DATA / name).read_bytes(), "something.else")
    assert [run.source["tool"] for run in runs_read] == [tool] * runs
    assert len(runs_read[0].measurements) == requests
    assert runs_read[0].config.mode == mode
    assert runs_read[0].config.backend == "import"
    assert runs_read[0].source["file"] == "something.else"
    assert runs_read[0].source["definitions"].keys() == runs_read[0].source["stated"].keys()


def test_every_file_of_the_samples_is_in_the_table() -> None:
    there = {str(file.relative_to(DATA)) for file in DATA.rglob("*") if file.is_file()}
    assert there - {f"{name}/log.json" for name in ("vllm", "guidellm", "aiperf")} == set(FILES)


@pytest.mark.parametrize("name", [name for name, facts in FILES.items() if facts[2]])
def test_requests_have_times_in_their_order(name: str) -> None:
    for m in runs_of(name)[0].measurements:
        assert m.status == "ok"
        assert m.t_send is not None
        assert m.t_last is not None
        first = m.t_last if m.t_first is None else m.t_first
        assert m.t_due <= m.t_send <= first <= m.t_last
        assert list(m.token_times) == sorted(m.token_times)
        assert m.output_tokens or m.token_source == "unknown"


@pytest.mark.parametrize("name", FILES)
def test_every_stated_figure_has_a_label_and_a_definition(name: str) -> None:
    candidate = imported_candidate(runs_of(name)[0])
    numbers, definitions_shown = table(candidate), definitions(candidate)
    assert len({row[0] for row in numbers.rows}) == len(candidate.run.source["stated"])
    assert all(definition.endswith(".") for _, definition in definitions_shown.rows)
    assert len({definition for _, definition in definitions_shown.rows}) == len(
        definitions_shown.rows
    )
    metrics = {
        part.partition(", ")[0] for row in definitions_shown.rows for part in row[0].split("; ")
    }
    assert {row[0].partition(", ")[0] for row in numbers.rows} == metrics


@pytest.mark.parametrize("name", FILES)
def test_no_prompt_and_no_answer_is_kept(name: str) -> None:
    for run in runs_of(name):
        text = repr(run)
        assert "Explain in a few" not in text
        assert " w0 w1" not in text
        assert "waves of the sea" not in text
        assert all(m.answer is None for m in run.measurements)


def test_a_file_without_a_tool_names_those_that_are_known() -> None:
    with pytest.raises(InvalidImport, match=r"x\.json: .*guidellm.*llmperf"):
        read(b'{"a": 1}', "x.json")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"\xff\xfe\x00", "not text"),
        (b"hello", "no requests and no results"),
        (b"[1, 2]", "contains no objects"),
        (b"[]", "no requests and no results"),
        (b'{"a": [1, 2', "is incomplete"),
        (b'{"a": "b', "is incomplete"),
        (b'{"a": 1}\n{"a": 2', "is incomplete"),
        (b'{"a": 1}\nrubbish\n{"a": 2}', "line 2 cannot be read"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"PAR1 and nothing more", "damaged or incomplete"),
        (b'{"schema": "paceline/run/2"}', "contains no request"),
        (
            b'{"schema": "paceline/run/2", "run": {"config": {"requests": -1}}}',
            "contains no request",
        ),
        (b'{"metadata": {"guidellm_version": "1"}, "benchmarks": []}', "contains no run"),
        (b'{"metadata": {"version": 2}, "benchmarks": [{}]}', "no requests and no results"),
    ],
)
def test_an_invalid_file_is_reported(data: bytes, message: str) -> None:
    with pytest.raises(InvalidImport, match=message):
        read(data, "f")


def test_a_file_truncated_anywhere_is_reported() -> None:
    whole = (DATA / "vllm" / "result.json").read_bytes()
    for cut in range(1, len(whole), 97):
        with pytest.raises(InvalidImport, match=r"incomplete|cannot be read"):
            read(whole[:cut], "result.json")


def test_a_file_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_BYTES", 10)
    with pytest.raises(InvalidImport, match="reads up to"):
        read(b"{" * 11, "big.json")


def test_too_many_requests_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_REQUESTS", 2)
    with pytest.raises(InvalidImport, match="more than 2"):
        read(b'{"a": 1}\n' * 3, "many.jsonl")


def of_paceline(*requests: Any, **run: Any) -> bytes:
    document = {"schema": "paceline/run/2", "run": {"status": "done", **run}, "requests": requests}
    return json.dumps(document).encode()


REQUEST = {"repeat": 0, "index": 0, "status": "ok", "sent_s": 0.0, "e2e_s": 1.0}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([REQUEST, REQUEST], "same repeat and index"),
        ([{**REQUEST, "repeat": 2**31 - 1}], "more than 50 repeats"),
    ],
)
def test_requests_that_cannot_be_stored_are_reported(requests: Any, message: str) -> None:
    with pytest.raises(InvalidImport, match=message):
        read(of_paceline(*requests), "f")


def test_impossible_times_are_unknown() -> None:
    times = {"sent_s": 2.0, "first_s": 1.0, "answer_s": 9.0, "last_s": 5.0, "chunks_s": [1, 3, 5]}
    (run,) = read(of_paceline({**REQUEST, **times, "ended_s": 0.5}, config={}), "f")
    (m,) = run.measurements
    assert (m.t_first, m.t_answer, m.t_last, m.t_end) == (None, None, 5.0, None)
    assert tuple(m.token_times) == (3.0, 5.0)
    (run,) = read(of_paceline({**REQUEST, **times, "sent_s": None}, config={}), "f")
    assert run.measurements[0].t_last is None and not run.measurements[0].token_times


def test_duplicate_and_out_of_range_repeats_are_dropped() -> None:
    repeats = [{"index": n, "began_at": "2026-01-01"} for n in (0, 0, 2**31 - 1)]
    (run,) = read(of_paceline(REQUEST, config={}, repeats=repeats), "f")
    assert [repeat.index for repeat in run.repeats] == [0]


@pytest.mark.parametrize("nodes", [["x"], [{}], [{"node": "x"}], {"node": 1}, 5])
def test_health_that_cannot_be_read_is_left_out(nodes: Any) -> None:
    health = {"nodes": nodes, "cpu_share": "all of it", "clock": "kernel"}
    repeats = [{"index": 0, "began_at": "2026-01-01", "health": health}]
    (run,) = read(of_paceline(REQUEST, config={}, repeats=repeats), "f")
    assert run.repeats[0].health == {"clock": "kernel"}


HALF = "a\ud800b\0"  # UTF-8 has no half of a character, and PostgreSQL no NUL


def test_characters_that_cannot_be_stored_are_replaced_wherever_they_stand() -> None:
    run = {"name": HALF, "note": HALF, "tags": [HALF], "config": {}, "source": {"tool": HALF}}
    environment = {HALF: HALF, "list": [HALF, 10**300, 1]}
    (ours,) = read(of_paceline({**REQUEST, "error": HALF}, environment=environment, **run), "f")
    vllm = json.loads((DATA / "vllm" / "result.json").read_text())
    (theirs,) = read(json.dumps({**vllm, "model_id": HALF, "date": HALF, HALF: HALF}).encode(), "f")
    assert ours.environment["list"] == ["a\ufffdb\ufffd", 1]
    assert theirs.config.model == ours.note == "a\ufffdb\ufffd"
    for text in (repr(ours).encode(), repr(theirs).encode()):
        assert b"\\ud800" not in text and b"\\x00" not in text


@pytest.mark.parametrize("data", [b"a,b\n" + b"1,2\n" * 9 + b'"', b'{"a": 1}\n' * 9 + b"rubbish"])
def test_a_file_of_too_many_entries_is_not_read_to_its_end(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "MAX_REQUESTS", 2)
    with pytest.raises(InvalidImport, match="more than 2"):
        read(data, "many")


def test_a_file_of_too_many_values_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_VALUES", 2)
    with pytest.raises(InvalidImport, match="up to 2 per file"):
        read(b'{"a": [1, 2, 3, 4]}', "f")
    whole = b"".join(requests_parquet([candidate([measured(i) for i in range(9)])]))
    with pytest.raises(InvalidImport, match="up to 2 per file"):
        read(whole, "f")


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_with_a_message(data: bytes) -> None:
    check_summary(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=6,
)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in FILES if not n.endswith(".csv")])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_tools_file_with_random_values_is_read_or_refused(name: str, data: Any) -> None:
    """Reads real files in which some values are replaced at random."""
    rows = [json.loads(line) for line in _lines(DATA / name)]
    for _ in range(data.draw(st.integers(1, 4))):
        node: Any = data.draw(st.sampled_from(rows))
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = data.draw(st.sampled_from(keys))
            deeper = isinstance(node[key], dict | list) and node[key]
            if not deeper or data.draw(st.booleans()):
                node[key] = data.draw(JSON)
                break
            node = node[key]
    check_summary("\n".join(map(json.dumps, rows)).encode())


def _lines(file: Path) -> list[str]:
    text = file.read_text()
    return text.splitlines() if file.suffix == ".jsonl" else [json.dumps(json.loads(text))]


def check_summary(data: bytes) -> None:
    """Check that whatever was read can be summarised and shown."""
    try:
        runs = read(data, "f")
    except InvalidImport as error:
        assert str(error).startswith("f: ")
        return
    for run in runs:
        assert run.source["tool"]
        json.dumps(run.source, allow_nan=False)
        table(imported_candidate(run))


@pytest.mark.parametrize("version", [2, 3])
def test_both_versions_with_chunks_are_read_alike(version: int) -> None:
    original = candidate([measured(i) for i in range(3)])
    document = run_document(original)
    document["schema"] = f"paceline/run/{version}"
    if version == 2:
        document["doubts"] = document.pop("diagnostics")
        document["run"]["trial_id"] = document["run"].pop("comparison_id")
    [run] = read(json.dumps(document).encode(), "run.json")
    assert run.source["version"] == f"paceline/run/{version}"
    assert [request_row(m) for m in run.measurements] == [
        request_row(m) for m in original.measurements
    ]


def test_what_paceline_made_before_is_read_without_single_chunks() -> None:
    row = {
        "index": 0,
        "repeat": 0,
        "status": "ok",
        "due_s": 0.5,
        "sent_s": 0.6,
        "ttft_s": 0.1,
        "e2e_s": 0.4,
        "output_tokens": 4,
        "prompt_tokens": 9,
        "token_source": "usage",
    }
    document = {
        "schema": "paceline/run/1",
        "requests": [row],
        "run": {
            "name": "mine",
            "status": "cancelled",
            "note": "see",
            "tags": ["a"],
            "config": {
                "backend": "vllm",
                "workload": "text",
                "own_prompts": 1,
                "own_prompt_characters": 12,
                "max_tokens": 4,
            },
            "repeats": [{"index": 0, "began_at": "2026-03-01T12:00:00+00:00", "duration_s": 1.5}],
        },
    }
    [run] = read(json.dumps(document).encode(), "run.json")
    assert (run.name, run.status, run.note, run.tags) == ("mine", "cancelled", "see", ("a",))
    assert run.config.backend == "vllm"
    assert run.config.workload == "text"
    assert len(run.config.prompt or "") == 12
    assert "prompt" not in run.source["known"]
    assert run.repeats[0].duration_s == 1.5
    [m] = run.measurements
    assert m.t_send == 0.6
    assert m.t_first == pytest.approx(0.7)
    assert m.t_last == pytest.approx(1.0)
    assert m.token_times == ()


def test_the_sessions_of_an_own_file_are_imported_without_their_texts() -> None:
    rows = [{"turns": [{"text": f"a secret {i}"} for i in range(turns)]} for turns in (3, 1, 2)]
    prompts = prompts_of(rows)
    own = {"workload": "file", "prompts": tuple(prompts), "history": "answered", "requests": 6}
    run = candidate([measured(i) for i in range(6)], run_id=1, **own)
    data = export("run.json").write([run])
    assert b"secret" not in data
    [again] = read(data, "run.json")
    assert sessions_of(again.config) == sessions_of(run.run.config)
    before, after = (
        summarize(each.measurements, config=config)
        for each, config in ((run, run.run.config), (again, again.config))
    )
    assert before.session_s is not None and after.session_s == before.session_s
    assert list(after.classes) == ["first", "later"] and after.classes == before.classes
    exported = json.loads(data)["run"]["config"]
    assert without_prompts(again.config) == exported


@pytest.mark.parametrize(
    "turns", [[3, 1], [3, 0, 2], [1e6, 1, 1], ["3", 1, 2], "3", None, [-1] * 3]
)
def test_turns_that_no_file_has_are_not_imported(turns: Any) -> None:
    config = {"workload": "file", "own_prompts": 3, "own_prompt_turns": turns, "turns": None}
    row = {"index": 0, "repeat": 0, "status": "ok", "due_s": 0, "sent_s": 0, "e2e_s": 1}
    document = {"schema": "paceline/run/2", "requests": [row], "run": {"config": config}}
    [run] = read(json.dumps(document).encode(), "run.json")
    assert sessions_of(run.config) is None and len(run.config.prompts) == 3


def aiperf_rows(*sent: tuple[int | None, int, float]) -> bytes:
    """Records of one request each: session, turn, time sent."""
    unit = {"value": 100.0, "unit": "ms"}
    rows = [
        {
            "metadata": {
                "session_num": session,
                "turn_index": turn,
                "request_start_ns": int((1e9 + at) * 1e9),
                "request_end_ns": int((1e9 + at + 0.2) * 1e9),
                "benchmark_phase": "profiling",
                "worker_id": "w",
            },
            "metrics": {"time_to_first_token": unit, "request_latency": unit},
            "error": None,
        }
        for session, turn, at in sent
    ]
    return "\n".join(map(json.dumps, rows)).encode()


def test_sessions_of_aiperf_are_imported() -> None:
    [run] = read(aiperf_rows((0, 0, 0.0), (1, 0, 0.1), (0, 1, 1.0), (1, 1, 5.1)), "p.jsonl")
    assert [m.t_send for m in run.measurements] == pytest.approx([0.0, 1.0, 0.1, 5.1])
    summary = summarize(run.measurements, config=run.config)
    assert {name: each.ok for name, each in summary.classes.items()} == {"first": 2, "later": 2}
    assert summary.session_s is not None and summary.session_s.maximum == pytest.approx(5.2)
    assert "prompts" not in run.source["known"]


@pytest.mark.parametrize("rows", [[(0, 0, 0.0), (1, 0, 1.0)], [(0, 1, 0.0)], [(None, 0, 0.0)]])
def test_rows_that_are_no_whole_sessions_stand_alone(rows: Any) -> None:
    [run] = read(aiperf_rows(*rows), "p.jsonl")
    assert sessions_of(run.config) is None and run.config.workload == "builtin"


def test_failed_requests_keep_their_class_and_no_more_than_a_line() -> None:
    document = json.loads((DATA / "vllm" / "result.json").read_text())
    document["errors"][0] = "503 Service Unavailable\nTraceback: Bearer sk-abcdef123456"
    document["ttfts"][0], document["itls"][0] = 0.0, []
    [one] = read(json.dumps(document).encode(), "f")
    first = one.measurements[0]
    assert (first.status, first.error_class) == ("failed", "http_5xx")
    assert "sk-abcdef" not in (first.error or "")
    assert "\n" not in (first.error or "")


def test_without_timestamps_there_are_no_rates() -> None:
    imported = imported_candidate(runs_of("llmperf/individual_responses.json")[0])
    row = summary_row(imported.summary)
    assert row["output_tokens_per_s"] is None
    assert row["requests_per_s"] is None
    assert row["peak_in_flight"] is None
    assert row["e2e_s_median"] > 0.2


def test_a_table_of_requests_says_why_they_were_sent_late_and_is_read_again() -> None:
    waited = measured(0, attempts=2, first_error_class="http_429", retry_wait_s=3.0, cap_wait_s=0.5)
    of = candidate([waited, measured(1)], retries=3, concurrency=2, mode="poisson", requests=2)
    [run] = read(b"".join(requests_csv([of])), "requests.csv")
    again, plain = run.measurements
    assert (again.attempts, again.first_error_class) == (2, "http_429")
    assert (again.retry_wait_s, again.cap_wait_s) == (3.0, 0.5)
    assert (plain.attempts, plain.first_error_class, plain.cap_wait_s) == (1, None, None)


def test_a_csv_of_requests_without_send_times_gives_no_rates_either() -> None:
    before = imported_candidate(runs_of("llmperf/individual_responses.json")[0])
    [run] = read(b"".join(requests_csv([before])), "requests.csv")
    after = imported_candidate(run)
    assert not run.source["placed"]
    rows = [summary_row(each.summary) for each in (before, after)]
    assert rows[1]["output_tokens_per_s"] is None
    assert rows[0] == pytest.approx(rows[1])


def test_the_requests_of_a_csv_with_several_repeats_have_consecutive_numbers() -> None:
    rows = [measured(index, repeat=repeat) for repeat in range(3) for index in range(4)]
    [run] = read(b"".join(requests_csv([candidate(rows)])), "requests.csv")
    assert (run.config.requests, run.config.repeats) == (4, 3)
    assert "12 requests" in run.name
    assert request_numbers(imported_candidate(run)).tolist() == list(range(1, 13))


@pytest.mark.parametrize("error", ["=1+1", "-100 too few", "@x", "'quoted'", "plain"])
def test_an_error_comes_back_from_a_csv_as_it_was(error: str) -> None:
    row = failed(error=error, error_class="-odd")
    [run] = read(b"".join(requests_csv([candidate([row])])), "requests.csv")
    assert (run.measurements[0].error, run.measurements[0].error_class) == (error, "-odd")


def test_each_format_is_recognised_by_one_entry_only() -> None:
    for name in FILES:
        document = parse.document((DATA / name).read_bytes())
        assert sum(entry.recognise(document) for entry in IMPORTS) == 1, name


def test_sglang_that_was_held_back_does_not_say_when_it_sent() -> None:
    [run] = runs_of("sglang/0.5.23.jsonl")
    assert run.config.concurrency == 4
    assert not run.source["placed"]


def test_inference_perf_has_one_time_for_each_chunk_not_for_each_token() -> None:
    [run] = runs_of("inference-perf/per_request_lifecycle_metrics.json")
    m: Measurement = run.measurements[0]
    assert len(m.token_times) == 16
    assert len(set(m.token_times)) == 16
    assert m.output_tokens == 16


def test_several_lines_are_several_runs() -> None:
    line = (DATA / "sglang" / "0.5.23.jsonl").read_text().strip()
    runs = read(f"{line}\n{line}\n".encode(), "two.jsonl")
    assert len(runs) == 2
    assert summarize(runs[1].measurements).ok == 8


@pytest.mark.parametrize(
    ("gaps", "times"),
    [
        ([0.25, 0.5], (1.0, 1.25, 1.75)),
        ([], (1.0,)),
        (None, (1.0,)),
        ([0.1, None], ()),
        (["a"], ()),
        ([[1], [1, 2]], ()),
        ([-0.1], ()),
        ([float("nan")], ()),
        ([1e308, 1e308], ()),
        ([10**400], ()),
    ],
)
def test_chunks_have_times_only_where_every_gap_is_a_time(gaps: Any, times: Any) -> None:
    assert fields.arrivals(1.0, gaps) == times
    assert fields.arrivals(None, gaps) == ()


def own(**run: Any) -> bytes:
    """Return a run's JSON as another Paceline might have written it."""
    row = {"index": 0, "repeat": 0, "status": "ok", "sent_s": 0.0, "first_s": 0.1, "last_s": 0.2}
    return json.dumps({"schema": "paceline/run/2", "run": run, "requests": [row]}).encode()


def test_an_unknown_metric_of_a_newer_paceline_is_shown_by_its_name() -> None:
    source = {"tool": "later", "stated": {"newer_s_p95": 1.5}, "definitions": {"newer_s_p95": "X."}}
    [run] = read(own(source=source), "f")
    assert table(imported_candidate(run)).rows[0][:2] == ("newer_s_p95", "1.50")


def test_text_that_a_database_cannot_store_is_replaced() -> None:
    """NUL, and half of a character, would make PostgreSQL refuse to read the JSON again."""
    bad = "a\0b\ud800"
    environment = {bad: bad, "list": [bad, 1], "deep": {"deeper": bad}}
    repeats = [{"index": 0, "began_at": "2026-03-01T12:00:00Z", "health": {"x": bad}}] * 2
    source = {"tool": bad, "facts": {bad: bad}, "stated": {"ok": 1}, "definitions": {"ok": bad}}
    [run] = read(own(environment=environment, repeats=repeats, source=source, name=bad), bad)
    stored = json.dumps([run.source, run.environment, run.name, run.repeats[0].health])
    assert "\\u0000" not in stored
    assert "\\ud800" not in stored
    assert len(run.repeats) == 1


def test_two_requests_with_the_same_index_are_refused() -> None:
    document = json.loads(own())
    document["requests"] *= 2
    with pytest.raises(InvalidImport, match="same repeat and index"):
        read(json.dumps(document).encode(), "f")
