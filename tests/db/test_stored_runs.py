"""A run comes back as it was stored, and can be edited and deleted."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from db import queue, recording, runs, schema
from db.database import writing
from services.ask import run_names
from services.ask.config import RunConfig
from services.ask.measurement import ERROR_CLASSES, Measurement, Progress, Repeat

SMALL = Measurement(repeat=0, index=0, status="ok", t_due=0.0)
FULL = Measurement(
    repeat=0,
    index=3,
    status="failed",
    t_due=0.18375,
    t_send=0.183900001,
    t_first=0.412345678,
    t_answer=0.422345679,
    t_last=1.5,
    t_end=1.500000001,
    token_times=(0.412345678, 0.422345679, 0.422345679, 1.5),
    prompt_tokens=17,
    output_tokens=5,
    reasoning_tokens=1,
    cached_tokens=0,
    token_source="usage",
    error_class="truncated",
    error="The stream ended without [DONE].",
    http_status=200,
    finish_reason="length",
    connect_s=0.000123,
    coalesced_reads=1,
    attempts=3,
    first_error_class="http_429",
    retry_wait_s=1.25,
    cap_wait_s=0.25,
    server_queue_s=0.5,
    load_s=0.0,
    prefill_s=0.125,
    answer="Spring is\na season 🌱.",
)

times = st.integers(0, 10**14).map(lambda nanoseconds: nanoseconds / 1e9)
counts = st.none() | st.integers(0, 2**31 - 1)
texts = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
any_measurement = st.builds(
    Measurement,
    repeat=st.just(0),
    index=st.just(0),
    status=st.sampled_from(["ok", "failed", "cancelled"]),
    t_due=times,
    **{name: st.none() | times for name in ("t_send", "t_first", "t_answer", "t_last", "t_end")},
    token_times=st.lists(times, max_size=40).map(tuple),
    prompt_tokens=counts,
    output_tokens=counts,
    reasoning_tokens=counts,
    cached_tokens=counts,
    token_source=st.sampled_from(["usage", "tokenizer", "unknown"]),
    error_class=st.none() | st.sampled_from(ERROR_CLASSES),
    error=texts,
    http_status=st.none() | st.integers(100, 599),
    finish_reason=texts,
    connect_s=st.none() | times,
    coalesced_reads=st.integers(0, 10_000),
    attempts=st.integers(1, 21),
    first_error_class=st.none() | st.sampled_from(ERROR_CLASSES),
    retry_wait_s=st.none() | times,
    cap_wait_s=st.none() | times,
    server_queue_s=st.none() | times,
    load_s=st.none() | times,
    prefill_s=st.none() | times,
    answer=texts,
)


def new(database: Engine, **edits: Any) -> int:
    return runs.create(database, RunConfig(), "embedded", **edits)


def states(count: int) -> list[Progress]:
    return [
        Progress(t / 2, 0, sent=t, in_flight=1, done=t, failed=0, tokens=t) for t in range(count)
    ]


def test_a_new_run_is_queued_with_its_config(database: Engine) -> None:
    config = RunConfig(
        backend="url",
        base_url="http://127.0.0.1:9/v1",
        model="tiny",
        mode="staggered",
        requests=16,
        interval_s=0.06125,
        workload="file",
        prompts=("one", "zwei\0", "三"),
        seed=7,
    )
    before = datetime.now(UTC)
    run_id = runs.create(database, config, "here", "First", ("b", "a", "b"), "A note.")
    run = runs.load(database, run_id)
    assert (run.id, run.name, run.status, run.config) == (run_id, "First", "queued", config)
    assert (run.tags, run.note, run.repeats, run.environment) == (("a", "b"), "A note.", (), {})
    assert before <= run.created_at <= datetime.now(UTC)
    assert (run.started_at, run.ended_at, run.error, run.cancel_requested) == (None,) * 3 + (False,)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (RunConfig(), "embedded · sequential · 5 requests"),
        (RunConfig(model="smollm2", requests=1), "embedded · sequential · 1 request"),
        (RunConfig(backend="vllm", mode="batch", requests=5000), "vllm · batch · 5,000 requests"),
        (
            RunConfig(backend="vllm", model="Qwen/Qwen3-8B"),
            "vllm · Qwen3-8B · sequential · 5 requests",
        ),
        (RunConfig(backend="url", model="/models/a b/"), "host:80 · a b · sequential · 5 requests"),
        (
            RunConfig(backend="url", base_url="http://host:80", model="m" * 300),
            f"host:80 · {'m' * 39}… · sequential · 5 requests",
        ),
    ],
)
def test_a_run_without_a_name_says_what_it_does(
    database: Engine, config: RunConfig, name: str
) -> None:
    assert runs.load(database, runs.create(database, config, "host:80", "  ")).name == name


@pytest.mark.parametrize("run_id", [12, 0, -1, 2**31, 10**30])
def test_an_unknown_run_is_reported(database: Engine, run_id: int) -> None:
    sentence = f"There is no run {run_id}. It may have been deleted."
    for call in (
        lambda: runs.load(database, run_id),
        lambda: runs.load_many(database, [new(database), run_id]),
        lambda: runs.edit(database, run_id, "x", ["x"], "x"),
        lambda: runs.delete(database, run_id),
        lambda: queue.request_cancel(database, run_id),
    ):
        with pytest.raises(runs.RunNotFound) as problem:
            call()
        assert str(problem.value) == sentence
    assert runs.measurements(database, run_id) == []
    assert runs.progress(database, run_id) == []
    assert runs.answer(database, run_id, run_id, run_id) is None


def test_runs_are_loaded_in_the_requested_order(database: Engine) -> None:
    first, second, third = (new(database) for _ in range(3))
    loaded = runs.load_many(database, [third, first, third, second])
    assert [run.id for run in loaded] == [third, first, third, second]
    assert runs.load_many(database, []) == []


def test_every_field_of_a_measurement_has_a_column() -> None:
    for kind, table in schema.TABLES.items():
        names = {"idx" if field.name == "index" else field.name for field in fields(kind)}
        assert names | {"run_id"} == set(table.c.keys())


def test_every_field_of_the_example_differs_from_its_default() -> None:
    blank = Measurement(repeat=0, index=0, status="ok", t_due=0.0)
    same = [f.name for f in fields(FULL) if getattr(FULL, f.name) == getattr(blank, f.name)]
    assert same == ["repeat"]


@pytest.mark.parametrize("measured", [FULL, SMALL], ids=["full", "small"])
def test_a_measurement_round_trips_unchanged(database: Engine, measured: Measurement) -> None:
    run_id = new(database)
    recording.add_measurements(database, run_id, [measured])
    assert runs.measurements(database, run_id, texts=True) == [measured]
    assert runs.measurements(database, run_id) == [replace(measured, answer=None)]
    assert runs.answer(database, run_id, 0, measured.index) == measured.answer


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(measured=any_measurement)
def test_any_measurement_round_trips_unchanged(database: Engine, measured: Measurement) -> None:
    run_id = new(database)
    recording.add_measurements(database, run_id, [measured])
    assert runs.measurements(database, run_id, texts=True) == [measured]


def test_characters_that_cannot_be_stored_are_replaced(database: Engine) -> None:
    run_id = new(database, note="a\0b")
    recording.add_measurements(database, run_id, [replace(SMALL, answer="\0 \ud83d\ude42 \ud83d")])
    assert runs.answer(database, run_id, 0, 0) == "� 🙂 �"
    assert runs.load(database, run_id).note == "a�b"


def test_an_impossible_token_count_is_stored_as_unknown(database: Engine) -> None:
    run_id = new(database)
    claims = replace(SMALL, prompt_tokens=2**31, output_tokens=10**30, cached_tokens=-1)
    recording.add_measurements(database, run_id, [claims, replace(FULL, index=1)])
    assert runs.measurements(database, run_id, texts=True) == [SMALL, replace(FULL, index=1)]


def test_progress_can_count_more_than_two_billion_tokens(database: Engine) -> None:
    run_id = new(database)
    state = replace(states(1)[0], tokens=5000 * 50 * 131_072)
    recording.add_progress(database, run_id, state)
    assert runs.progress(database, run_id) == [state]


def test_requests_are_ordered_by_repeat_and_index(database: Engine) -> None:
    run_id, other = new(database), new(database)
    keys = [(repeat, index) for repeat in (1, 0) for index in (10, 2, 0)]
    sent = [replace(SMALL, repeat=repeat, index=index) for repeat, index in keys]
    recording.add_measurements(database, run_id, sent)
    recording.add_measurements(database, other, [SMALL])
    measurements = runs.measurements(database, run_id)
    assert [(m.repeat, m.index) for m in measurements] == sorted(keys)


def test_a_request_sent_again_replaces_the_first(database: Engine) -> None:
    run_id = new(database)
    recording.add_measurements(database, run_id, [SMALL, replace(FULL, index=1)])
    recording.add_measurements(database, run_id, [replace(FULL, index=0), replace(SMALL, index=1)])
    recording.add_measurements(database, run_id, [])
    measurements = runs.measurements(database, run_id, texts=True)
    assert measurements == [replace(FULL, index=0), replace(SMALL, index=1)]


def test_five_thousand_requests_of_128_tokens_are_kept_in_one_call(database: Engine) -> None:
    run_id = new(database)
    batch = [
        replace(
            SMALL, index=i, token_times=tuple((i * 977 + k * 9_999_991) / 1e9 for k in range(128))
        )
        for i in range(5000)
    ]
    recording.add_measurements(database, run_id, batch)
    assert runs.measurements(database, run_id) == batch


def test_a_batch_with_an_invalid_row_is_not_stored(database: Engine) -> None:
    run_id = new(database)
    with pytest.raises(IntegrityError):
        recording.add_measurements(database, run_id, [SMALL, replace(SMALL, index=1, t_due=None)])  # type: ignore[arg-type]
    assert runs.measurements(database, run_id) == []


def test_a_repeat_sent_again_replaces_the_first(database: Engine) -> None:
    run_id = new(database)
    began = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=timezone(timedelta(hours=-8)))
    recording.add_repeat(database, run_id, Repeat(1, began))
    recording.add_repeat(database, run_id, Repeat(0, began))
    ended = Repeat(0, began, 12.345678901, {"cpu_share": 0.25, "lags": [0.1, None]})
    recording.add_repeat(database, run_id, ended)
    repeats = runs.load(database, run_id).repeats
    assert repeats == (ended, Repeat(1, began))
    assert {repeat.began_at.utcoffset() for repeat in repeats} == {timedelta(0)}


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (500, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (11, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (10, [0, 2, 4, 6, 8, 10]),
        (5, [1, 4, 7, 10]),
        (2, [4, 10]),
        (1, [10]),
    ],
)
def test_progress_is_thinned_evenly_and_keeps_the_last(
    database: Engine, limit: int, expected: list[int]
) -> None:
    run_id = new(database)
    for state in reversed(states(11)):
        recording.add_progress(database, run_id, state)
    assert runs.progress(database, run_id, limit) == [states(11)[number] for number in expected]


def test_names_notes_and_tags_can_be_edited(database: Engine) -> None:
    run_id = new(database, tags=["old"])
    tags = [" h200 ", "night  run", "", "h200"]
    runs.edit(database, run_id, "  A  new\nname ", tags, "Line one.\nLine two.")
    run = runs.load(database, run_id)
    assert (run.name, run.note) == ("A new name", "Line one.\nLine two.")
    assert run.tags == ("h200", "night run")
    runs.edit(database, run_id, "A", [], "")
    assert (runs.load(database, run_id).tags, runs.load(database, run_id).note) == ((), "")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "n" * 201, "The name has 201 characters. Shorten it to 200."),
        ("note", "n" * 10_001, "The note has 10,001 characters. Shorten it to 10,000."),
        ("tags", ["a,b"], "The tag 'a,b' contains a comma. Write it as two tags."),
        ("tags", ["t" * 51], f"The tag '{'t' * 20}' has 51 characters. Shorten it to 50."),
        ("tags", [str(n) for n in range(22)], "A run has at most 20 tags. Remove 2."),
    ],
)
def test_an_invalid_edit_is_refused_and_changes_nothing(
    database: Engine, field: str, value: Any, sentence: str
) -> None:
    run_id = new(database, name="before", note="before", tags=["before"])
    before = runs.load(database, run_id)
    edited = {"name": "after", "note": "after", "tags": ["after"], field: value}
    for change in (
        lambda: runs.edit(database, run_id, **edited),
        lambda: new(database, **{field: value}),
    ):
        with pytest.raises(run_names.InvalidEdit) as problem:
            change()
        assert str(problem.value) == sentence
    assert runs.load(database, run_id) == before
    assert runs.count(database) == 1


def test_a_run_cannot_be_renamed_to_nothing(database: Engine) -> None:
    with pytest.raises(run_names.InvalidEdit, match=r"The name is empty\. Write 1 to"):
        runs.edit(database, new(database), " \n", [], "")


def test_names_notes_and_tags_of_maximum_length_are_stored(database: Engine) -> None:
    tags = [f"{n:02}".ljust(50, "x") for n in range(20)]
    run = runs.load(database, new(database, name="n" * 200, note="n" * 10_000, tags=tags))
    assert (len(run.name), len(run.note), run.tags) == (200, 10_000, tuple(tags))


def test_deleting_a_run_takes_all_of_it_and_nothing_else(database: Engine) -> None:
    remaining, gone = new(database, tags=["x"]), new(database, tags=["x"])
    for run_id in (remaining, gone):
        recording.add_repeat(database, run_id, Repeat(0, datetime.now(UTC)))
        recording.add_measurements(database, run_id, [SMALL])
        recording.add_progress(database, run_id, states(1)[0])
    runs.delete(database, gone)
    with pytest.raises(runs.RunNotFound):
        runs.load(database, gone)
    with database.connect() as connection:
        for table in (schema.run_tags, schema.repeats, schema.requests, schema.progress):
            assert connection.scalars(select(table.c.run_id)).all() == [remaining]


def test_the_id_of_a_deleted_run_is_never_used_again(database: Engine) -> None:
    gone = new(database)
    runs.delete(database, gone)
    assert new(database) > gone


def test_a_running_run_cannot_be_deleted(database: Engine) -> None:
    run_id = new(database)
    queue.claim(database)
    with pytest.raises(runs.RunBusy, match=f"Run {run_id} is still running. Cancel it first."):
        runs.delete(database, run_id)
    queue.finish(database, run_id, "cancelled")
    runs.delete(database, run_id)
    assert runs.count(database) == 0


@pytest.mark.parametrize(
    "values",
    [
        schema.row(77, SMALL),
        schema.row(77, states(1)[0]),
        schema.row(77, Repeat(0, datetime.now(UTC))),
        {"run_id": 77, "tag": "x"},
    ],
    ids=["requests", "progress", "repeats", "run_tags"],
)
def test_rows_of_an_unknown_run_are_refused_by_the_database(
    database: Engine, values: dict[str, object], request: pytest.FixtureRequest
) -> None:
    table = schema.metadata.tables[request.node.callspec.id.split("-")[-1]]
    with pytest.raises(IntegrityError), writing(database) as connection:
        connection.execute(insert(table).values(values))
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(table)) == 0
