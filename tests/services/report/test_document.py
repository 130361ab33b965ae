"""A run as a document: nothing is lost, nothing is private, and its hash tells whether it is it."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from services.analysis.compare import Candidate
from services.ask.config import FORMER, RunConfig
from services.ask.measurement import ERROR_CLASSES, Measurement, Sample
from services.base.redact import without_paths
from services.report import imports
from services.report.export import EXPORTS, comparison_document, content_hash, export, run_document
from services.report.export.document import (
    FIELDS_LATER,
    HASHED_CONFIG,
    HASHED_FIELDS,
    HASHED_LATER,
    REQUEST_FIELDS,
    full_row,
)
from services.report.export.parquet import KEY
from services.report.export.shape import schema_texts
from tests.conftest import ROOT
from tests.values import candidate, failed, measured, sampled

times = st.integers(0, 10**14).map(lambda nanoseconds: nanoseconds / 1e9)
counts = st.none() | st.integers(0, 2**31 - 1)
any_measurement = st.builds(
    Measurement,
    repeat=st.integers(0, 9),
    index=st.integers(0, 9),
    status=st.sampled_from(["ok", "failed", "cancelled"]),
    t_due=times,
    **{name: st.none() | times for name in ("t_send", "t_first", "t_answer", "t_last", "t_end")},
    token_times=st.lists(times, max_size=40).map(tuple),
    **dict.fromkeys(
        ("prompt_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"), counts
    ),
    token_source=st.sampled_from(["usage", "tokenizer", "unknown"]),
    error_class=st.none() | st.sampled_from(ERROR_CLASSES),
    error=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    http_status=st.none() | st.integers(100, 599),
    finish_reason=st.none() | st.just("length"),
    connect_s=st.none() | times,
    coalesced_reads=st.integers(0, 10_000),
    attempts=st.integers(1, 21),
    first_error_class=st.none() | st.sampled_from(ERROR_CLASSES),
    retry_wait_s=st.none() | times,
    cap_wait_s=st.none() | times,
    server_queue_s=st.none() | times,
    load_s=st.none() | times,
    prefill_s=st.none() | times,
)
RENAMED = {
    "t_due": "due_s",
    "t_send": "sent_s",
    "t_first": "first_s",
    "t_answer": "answer_s",
    "t_last": "last_s",
    "t_end": "ended_s",
    "token_times": "chunks_s",
}


def measurement_from(row: dict[str, Any]) -> Measurement:
    """Return the measurement that a row of a document was made from."""
    names = [field.name for field in fields(Measurement) if field.name != "answer"]
    found = {name: row[RENAMED.get(name, name)] for name in names}
    return Measurement(**{**found, "token_times": tuple(found["token_times"])})


def measurements() -> list[Measurement]:
    broken = failed(
        2,
        "stream_error",
        error="broken off",
        t_first=0.1 + 0.2,
        t_last=0.7,
        token_times=(0.1 + 0.2, 0.7),
    )
    return [measured(0), measured(1, ttft=0.1, e2e=1 / 3), broken]


@given(seen=any_measurement)
def test_a_measurement_comes_back_from_its_row_bit_for_bit(seen: Measurement) -> None:
    assert measurement_from(orjson.loads(orjson.dumps(full_row(seen)))) == seen


def test_a_request_that_broke_off_keeps_the_tokens_that_came() -> None:
    rows = orjson.loads(export("run.json").write([candidate(measurements())]))["requests"]
    assert [measurement_from(row) for row in rows] == measurements()
    assert rows[2]["e2e_s"] is None


def test_the_parquet_file_is_the_document() -> None:
    run = candidate(measurements(), name="A file", calibration={"ttft_p50_s": 1e-6})
    table = pyarrow.parquet.read_table(io.BytesIO(export("requests.parquet").write([run])))
    assert tuple(table.column_names) == REQUEST_FIELDS
    assert [measurement_from(row) for row in table.to_pylist()] == measurements()
    document = orjson.loads(table.schema.metadata[KEY])
    assert document | {"requests": table.to_pylist()} == run_document(run) | {
        "requests": [
            {**row, "chunks_s": [*row["chunks_s"]]} for row in map(full_row, measurements())
        ]
    }


# the schemas


@pytest.mark.parametrize(("name", "text"), schema_texts().items())
def test_the_committed_schema_is_current(name: str, text: str) -> None:
    assert (ROOT / "docs" / "schema" / name).read_text(encoding="utf-8") == text, (
        "Write it anew: python -m services.report.export.shape docs/schema"
    )


def test_exported_documents_match_their_schemas() -> None:
    both = [
        candidate([measured(i, repeat=r) for r in range(3) for i in range(2)], run_id=n)
        for n in (1, 2)
    ]
    written = {
        "run-3.json": [
            orjson.loads(export("run.json").write([candidate(measurements())])),
            orjson.loads(
                export("run.json").write(
                    [candidate(measurements(), samples=sampled(running=[1.0]))]
                )
            ),
            orjson.loads(orjson.dumps(run_document(candidate(measurements()), prompts=True))),
        ],
        "comparison-2.json": [orjson.loads(export("comparison.json").write(both))],
    }
    for name, documents in written.items():
        schema = orjson.loads(schema_texts()[name])
        Draft202012Validator.check_schema(schema)
        for document in documents:
            Draft202012Validator(schema).validate(document)


# the hash


def changed(run: Candidate, **of_run: Any) -> Candidate:
    return replace(run, run=replace(run.run, **of_run))


def test_a_run_keeps_its_hash_under_another_name_and_number() -> None:
    run = candidate(measurements(), environment={"cpu": "x"})
    later = datetime(2027, 1, 1, tzinfo=UTC)
    other = changed(
        run,
        id=9,
        name="B",
        tags=("t",),
        note="n",
        comparison_id=4,
        created_at=later,
        source={"tool": "paceline"},
    )
    assert content_hash(run) == content_hash(other) == run_document(other)["content_sha256"]
    assert comparison_document([run, other])["runs"][1]["content_sha256"] == content_hash(run)
    assert len(content_hash(run)) == 64


def test_the_hash_of_a_run_from_before_request_options_is_unchanged() -> None:
    config = {"backend": "vllm", "model": "m", "temperature": 0.0, "top_p": 1.0}
    config |= {"workload": "builtin", **FORMER}
    run = candidate([measured(0), measured(1)], **config)
    assert content_hash(run) == "0dc54d10247a5a4eb15e7d6c5c3c639f44cd66d7bb2308d35facd4ace4462ac2"
    fitted = candidate([measured(0), measured(1)], **config, omit=["top_p"])
    assert content_hash(fitted) != content_hash(run)


def test_a_file_of_certificates_is_exported_without_its_folder() -> None:
    text = (
        export("run.json")
        .write([candidate(measurements(), ca_file="/home/me/lab/ca.pem")])
        .decode()
    )
    assert "/home/me" not in text and "ca.pem" in text


def test_a_run_of_which_anything_measured_is_changed_has_another_hash() -> None:
    run = candidate(measurements(), environment={"cpu": "x"})
    later = measured(0)
    nudged = replace(later, token_times=(*later.token_times[:-1], later.token_times[-1] + 1e-9))
    others = [
        replace(run, measurements=[nudged, *measurements()[1:]]),
        replace(run, measurements=measurements()[:2]),
        changed(run, environment={"cpu": "y"}),
        changed(run, config=run.run.config.model_copy(update={"max_tokens": 9})),
        changed(run, repeats=(replace(run.run.repeats[0], duration_s=1.5),)),
    ]
    assert len({content_hash(each) for each in (run, *others)}) == 1 + len(others)


def test_every_field_of_a_run_is_part_of_its_hash_or_is_left_out_for_a_reason() -> None:
    left_out = {"prompt", "prompts"}  # private
    left_out |= {"calibrate"}  # what is measured afterwards
    left_out |= {"ttft_limit_s", "tpot_limit_s", "e2e_limit_s", "usd_per_hour"}  # how it is judged
    left_out |= {"ca_file", "insecure_tls", "key_env", "on"}  # who asks whom, not what is asked
    known = {*HASHED_CONFIG, *HASHED_LATER} | left_out
    assert known == set(RunConfig.model_fields), "see “Config field” in CONTRIBUTING.md"
    renamed = {RENAMED.get(field.name, field.name) for field in fields(Measurement)}
    assert {*HASHED_FIELDS, *FIELDS_LATER} == renamed - {"answer"}


def test_a_run_has_the_same_hash_in_another_paceline() -> None:
    run = candidate(
        measurements(),
        environment={"cpu": "x", "engine": {"args": [1, 2.5, "…/x"]}},
        seed=3,
        workload="file",
        prompts=("an own prompt", "a second one"),
    )
    (got,) = imports.read(export("run.json").write([run]), "run.json")
    there = changed(
        run,
        config=got.config,
        environment=got.environment,
        repeats=got.repeats,
        name=got.name,
        source=got.source,
    )
    there = replace(there, measurements=got.measurements)
    assert there.run.config.prompts != run.run.config.prompts
    assert content_hash(there) == content_hash(run)


def test_the_hash_does_not_depend_on_the_text_of_a_prompt() -> None:
    guess = {"workload": "text", "prompt": "a guess"}
    run = candidate(measurements(), **guess)
    assert content_hash(run) == content_hash(
        candidate(measurements(), **{**guess, "prompt": "another"})
    )


USUAL = {name: RunConfig().model_dump(mode="json")[name] for name in HASHED_LATER} | FORMER


def test_the_hash_of_a_document_can_be_computed_by_anyone() -> None:
    """Follows the recipe of docs/exports.md, without our code."""
    import hashlib
    import json

    waited = replace(measured(90), attempts=2, first_error_class="http_429", retry_wait_s=1.5)
    one = candidate([*measurements(), waited], mode="poisson", rate=2.5)
    document = orjson.loads(export("run.json").write([one]))
    run = document["run"]
    fields = {
        k: v for k, v in run["config"].items() if k in HASHED_CONFIG and v not in (None, [], {})
    }
    fields |= {k: v for k, v in run["config"].items() if k in HASHED_LATER and v != USUAL[k]}
    whole = {
        "config": fields,
        "environment": run["environment"],
        "repeats": run["repeats"],
        "requests": [
            [row[name] for name in HASHED_FIELDS]
            + [[k, row[k]] for k, usual in FIELDS_LATER.items() if row[k] != usual]
            for row in document["requests"]
        ],
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == document["content_sha256"]


# what was seen of the server


def test_samples_are_exported_but_not_hashed() -> None:
    samples = sampled(running=[1.0, 2.0, 0.1 + 0.2], gpu1_memory_bytes=[2.0**36])
    bare, run = candidate(measurements()), candidate(measurements(), samples=samples)
    assert content_hash(run) == content_hash(bare)
    for name in ("run.json", "requests.parquet"):
        (got,) = imports.read(export(name).write([run]), name)
        assert list(got.samples) == samples
    (got,) = imports.read(export("run.json").write([bare]), "run.json")
    assert got.samples == ()


def test_invalid_samples_are_left_out() -> None:
    document = orjson.loads(export("run.json").write([candidate(measurements())]))
    document["samples"] = [
        {"t": 2.0, "values": {"running": 1, "nonsense": 1, "waiting": "many"}},
        {"t": 1.0, "values": {"running": 2.0}},
        {"t": "late", "values": {"running": 1}},
        {"t": 3.0, "values": {"nonsense": 1}},
        {"t": 4.0},
        7,
    ]
    (got,) = imports.read(orjson.dumps(document), "run.json")
    assert list(got.samples) == [Sample(1.0, {"running": 2.0}), Sample(2.0, {"running": 1.0})]


def test_samples_are_a_file_of_their_own() -> None:
    samples = sampled(gpu0_use_share=[0.5], waiting=[1.0], running=[4.0, 5.0])
    lines = (
        export("samples.csv").write([candidate(measurements(), samples=samples)]).decode().split()
    )
    assert lines == ["t,running,waiting,gpu0_use_share", "0.0,4.0,1.0,0.5", "0.5,5.0,,"]
    assert export("samples.csv").write([candidate(measurements())]).decode().split() == ["t"]


# what is private


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("No such file: '/home/gundula/x/model.gguf'", "No such file: '…/model.gguf'"),
        ("/models/Qwen3-8B", "…/Qwen3-8B"),
        ("file:///home/gundula/x.txt", "…/x.txt"),
        ("Error:/home/gundula/b c", "Error:…/b c"),
        (r"C:\Users\bob\x.txt", "…/x.txt"),
        ("cannot read /home/gundula", "cannot read …/"),
        ("//home/gundula/f and (/root/.cache/hub)", "…/f and (…/hub)"),
    ],
)
def test_only_the_file_name_of_a_path_is_shown(text: str, shown: str) -> None:
    assert without_paths(text) == shown
    assert without_paths(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:8000/v1/chat/completions",
        "POST /v1/chat/completions",
        "404: /api/chat/x",
        "and/or/else",
        "./a/b ../c/d",
        "text/html, */*",
        "5 tokens/s",
        "Qwen/Qwen3-8B",
        "/metrics",
    ],
)
def test_text_that_is_not_a_path_is_kept(text: str) -> None:
    assert without_paths(text) == text


HOME = "/home/gundula/projects"
PRIVATE = ("heron poem", "grey on grey", "gundula", "sk-topsecret-0123456789")


def private(run_id: int) -> Candidate:
    """Return a run with own prompts, answers, and paths everywhere a server could put them."""
    requests = [replace(measured(i), answer="grey on grey") for i in range(3)]
    requests.append(failed(3, error=f"[Errno 2] {HOME}/model.gguf is missing"))
    run = candidate(
        requests,
        run_id=run_id,
        workload="text",
        prompt="a heron poem",
        model=f"{HOME}/tiny",
        environment={"engine": {"model": f"{HOME}/tiny", "flags": [f"--cache={HOME}/cache"]}},
    )
    return changed(run, error=f"Died in {HOME}/run", source={"file": f"{HOME}/result.json"})


@pytest.mark.parametrize("entry", EXPORTS, ids=lambda entry: entry.name)
def test_no_file_contains_anything_private(entry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", PRIVATE[-1])
    monkeypatch.setenv("HOME", HOME)
    data = entry.write([private(n) for n in range(1, max(entry.least, min(entry.most, 2)) + 1)])
    if entry.name.endswith(".parquet"):  # what is packed is read
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        data += str(table.to_pylist()).encode() + table.schema.metadata[KEY]
    for text in PRIVATE:
        assert text.encode() not in data
