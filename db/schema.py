"""The tables, one for each kind of value in `ask/measurement.py`; the runs table is the queue.

A column is named after the field that it stores (`index`, an SQL keyword, is `idx`). To add one,
add the field, the column here, a migration, and its revision below.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.sql.elements import Label

from db.columns import CleanText, Count, Json, Key, Number, TokenTimes, Utc, Values
from services.ask.measurement import Measurement, Progress, Repeat, Sample

REVISION = "0024"  # the newest migration: a database that says so needs no Alembic

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _run_id() -> Column[int]:
    return Column("run_id", Key, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


runs = Table(
    "runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("status", Text, nullable=False),
    Column("backend", CleanText, nullable=False),
    Column("model", CleanText, nullable=False),  # the one that answers, once that is known
    Column("mode", Text, nullable=False),
    Column("lane", CleanText, nullable=False),  # what only one run at a time may use
    Column("config", Json, nullable=False),  # exactly what was asked
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("heartbeat_at", Utc),
    Column("phase", CleanText, nullable=False, server_default=""),
    Column("error", CleanText),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("environment", Json, nullable=False, server_default="{}"),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("headline", Json, nullable=False, server_default="{}"),  # the numbers History shows
    Column("calibration", Json(none_as_null=True)),
    Column("source", Json(none_as_null=True)),  # the other tool's file, of an imported run
    Column("trial_id", Key, key="comparison_id"),  # of the comparison that it is part of
    Column("turn", Integer, key="item_index"),  # of its next work item in the comparison, from 0
    Column("study_id", Key),  # the study that it is a cell of
    Column("cell", Integer),  # its place in the study's grid, from 0
    Column("engine_id", Key),  # the engine that Paceline starts for it
    Column("destination", Json(none_as_null=True)),  # to whom it goes, without its secrets
    Column("ticket", Text),  # under which a supervisor holds those in memory
    Column("machine", Text),  # where it was measured last, as a hash
    Column("started_by", CleanText),  # a person or a token, where people sign in
    Column("owner", CleanText),  # who may cancel it beside admins: `Person.caller`
    Column("maker", CleanText),  # and, if that is a token, who made it
    Column("token_times_removed_at", Utc),  # of its requests, see db/retention.py
    sqlite_autoincrement=True,  # the link to a deleted run must not lead to another one
)

Index(
    "one_running_run_a_lane",
    runs.c.lane,
    unique=True,
    sqlite_where=text("status = 'running'"),
    postgresql_where=text("status = 'running'"),
)
Index("ix_runs_status", runs.c.status)

Index("ix_runs_trial", runs.c.comparison_id)
Index("ix_runs_study", runs.c.study_id)
Index("ix_runs_engine", runs.c.engine_id)
Index(
    "one_running_run_a_trial",
    runs.c.comparison_id,
    unique=True,
    sqlite_where=text("status = 'running'"),
    postgresql_where=text("status = 'running'"),
)

comparisons = (
    Table(  # runs measured in interleaved repeats, see services/analysis/comparison_design.py
        "trials",
        metadata,
        Column("id", Key, primary_key=True),
        Column("created_at", Utc, nullable=False),
        Column("seed", Integer, nullable=False),
        Column("repeats", Integer, nullable=False),  # of each run, at least
        Column("most", Integer, nullable=False),  # of each run, where the target asks for more
        Column("target", Number),  # half the interval's width, as a share; NULL: not looked at
        Column("margin", Number, nullable=False),  # differences within it do not matter, as a share
        sqlite_autoincrement=True,
    )
)

engines = Table(  # server processes that Paceline starts, see services/servers/engines/
    "engines",
    metadata,
    Column("id", Key, primary_key=True),
    Column("status", Text, nullable=False),
    Column("config", Json, nullable=False),  # exactly what was asked
    Column("study_id", Key),  # the study that it was started for
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("ready_at", Utc),
    Column("ended_at", Utc),
    Column("heartbeat_at", Utc),
    Column("starts", Integer, nullable=False, server_default="0"),
    Column("stop_requested", Boolean, nullable=False, server_default=text("false")),
    Column("phase", CleanText, nullable=False, server_default=""),
    Column("base_url", CleanText),  # where it answers
    Column("pid", Integer),  # of its first process
    Column("machine", Text),  # where it was started, as a hash: its address is that machine's own
    Column("command", CleanText, nullable=False, server_default=""),  # to copy
    Column("facts", Json, nullable=False, server_default="{}"),  # what it says of itself
    Column("error", CleanText),  # why it ended, a sentence
    Column("hint", CleanText),  # and what to try
    sqlite_autoincrement=True,
)
Index("ix_engines_status", engines.c.status)

studies = Table(  # runs that differ in one thing or two, see services/studies/
    "studies",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("created_at", Utc, nullable=False),
    Column("grid", Json, nullable=False),  # exactly what was asked
    sqlite_autoincrement=True,
)

capacities = Table(  # searches for the highest load that servers sustain
    "capacities",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("created_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("config", Json, nullable=False),  # exactly what was asked
    Column("status", Text, nullable=False),
    Column("error", CleanText),
    Column("machine", Text),  # the only one that reaches its servers, as a hash
    Column("started_by", Text),  # a person, a token or the user of a terminal
    Column("owner", CleanText),  # see `runs`: whose its probes are
    Column("maker", CleanText),
    Column("probes", Json, nullable=False),  # each with its load, its run, and what that says
    Column("study_id", Key),  # the study that it is part of
    Column("engine_id", Key),  # the engine that Paceline starts for it
    Column("start", Integer, nullable=False, server_default="0"),  # of its configuration, from 0
    sqlite_autoincrement=True,
)

shares = Table(  # pages that anybody with the token may see
    "shares",
    metadata,
    Column("token", Text, primary_key=True),
    Column("title", CleanText, nullable=False),
    Column("run_ids", Json, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc),
    Column("texts", Boolean, nullable=False),  # with prompts and answers
    Column("page", LargeBinary, nullable=False),  # the HTML, gzipped
)

baselines = Table(  # the run that the others of a model or a tag are compared with
    "pins",
    metadata,
    Column("kind", Text, primary_key=True),  # model or tag
    Column("value", CleanText, primary_key=True),
    Column("run_id", Key, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("pinned_at", Utc, key="set_at", nullable=False),
)

servers = Table(  # servers that a person has named, see services/ask/saved_server.py
    "servers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fields", Json, nullable=False),
    Column("saved_at", Utc, nullable=False),
)

api_tokens = Table(  # the hashes of tokens for the API, see db/tokens.py
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("made_by", CleanText),  # an e-mail address, or the user of a terminal
    sqlite_autoincrement=True,  # by its number a token's tasks and runs are told from another's
)

task_batches = Table(  # tasks that were handed in together, see services/ask/tasks/
    "task_batches",
    metadata,
    Column("id", Key, primary_key=True),
    Column("batch_id", Text, nullable=False, unique=True),  # as its caller knows it
    Column("caller", CleanText, nullable=False),
    Column("maker", CleanText),  # of the token that the caller is: sees and cancels them, too
    Column("created_at", Utc, nullable=False),
    Column("count", Integer, nullable=False),
    Column("idempotency", Text),  # the hash of the key that it was handed in with
    Column("fingerprint", Text),  # of what was handed in with that
    UniqueConstraint("caller", "idempotency", name="one_batch_a_key"),
    sqlite_autoincrement=True,
)
Index("ix_task_batches_created_at", task_batches.c.created_at)

task_settings = Table(  # to whom tasks of a batch go, and how
    "task_settings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("batch", Key, ForeignKey("task_batches.id", ondelete="CASCADE"), nullable=False),
    Column("config", Json, nullable=False),
    Column("destination", Json, nullable=False),  # without its secrets
    Column("ticket", Text),  # under which a supervisor holds those in memory
    sqlite_autoincrement=True,
)
Index("ix_task_settings_batch", task_settings.c.batch)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("task_id", Text, nullable=False, unique=True),  # as its caller knows it
    Column("batch", Key, ForeignKey("task_batches.id", ondelete="CASCADE"), nullable=False),
    Column("settings", Key, nullable=False),
    Column("caller", CleanText, nullable=False),
    Column("server", CleanText, nullable=False),  # whose tasks one process looks after
    Column("machine", Text),  # the only one that can ask it
    Column("backend", CleanText, nullable=False),
    Column("model", CleanText, nullable=False),  # the one that answered, once that is known
    Column("custom_id", CleanText),
    Column("status", Text, nullable=False),
    Column("worker", Text),  # the process that has it
    Column("asked", Integer, nullable=False, server_default="0"),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("finish_reason", CleanText),
    Column("prompt_tokens", Count),
    Column("output_tokens", Count),
    Column("reasoning_tokens", Count),
    Column("cached_tokens", Count),
    Column("ttft_s", Number),
    Column("e2e_s", Number),
    Column("attempts", Count),
    Column("http_status", Count),
    Column("error_class", CleanText),
    Column("error", CleanText),
    Column("prompt", CleanText, nullable=False),
    Column("answer", CleanText),
    Column("tool_calls", Json),
    sqlite_autoincrement=True,
)
Index("ix_tasks_batch", tasks.c.batch, tasks.c.status)
Index(
    "ix_tasks_open",
    tasks.c.settings,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)
Index("ix_tasks_worker", tasks.c.worker)
Index(
    "ix_tasks_waiting",
    tasks.c.server,
    tasks.c.caller,
    tasks.c.id,
    sqlite_where=text("status = 'queued'"),
    postgresql_where=text("status = 'queued'"),
)
Index("ix_tasks_ended_at", tasks.c.ended_at)

task_workers = Table(  # the processes that have tasks answered
    "task_workers",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("place", Text, nullable=False),  # where only one of them lives at a time
    Column("machine", Text, nullable=False),
    Column("heartbeat_at", Utc, nullable=False),
)

task_servers = Table(  # the servers that one of them asks, and nobody else meanwhile
    "task_servers",
    metadata,
    Column("server", CleanText, primary_key=True),
    Column("worker", Text, nullable=False),
)

filters = Table(  # of History, saved under a name
    "filters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("parameters", Json, nullable=False),
    Column("saved_at", Utc, nullable=False),
)

run_tags = Table(
    "run_tags",
    metadata,
    _run_id(),
    Column("tag", CleanText, primary_key=True),
)

repeats = Table(
    "repeats",
    metadata,
    _run_id(),
    Column("idx", Key, primary_key=True),
    Column("began_at", Utc, nullable=False),
    Column("duration_s", Number),
    Column("health", Json, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    _run_id(),
    Column("repeat", Key, primary_key=True),
    Column("idx", Key, primary_key=True),
    Column("status", Text, nullable=False),
    Column("t_due", Number, nullable=False),
    Column("t_send", Number),
    Column("t_first", Number),
    Column("t_answer", Number),
    Column("t_last", Number),
    Column("t_end", Number),
    Column("token_times", TokenTimes, nullable=False),
    Column("prompt_tokens", Count),
    Column("output_tokens", Count),
    Column("reasoning_tokens", Count),
    Column("cached_tokens", Count),
    Column("token_source", Text, nullable=False),
    Column("error_class", CleanText),
    Column("error", CleanText),
    Column("http_status", Count),
    Column("finish_reason", CleanText),
    Column("connect_s", Number),
    Column("coalesced_reads", Count, nullable=False),
    Column("attempts", Count, nullable=False, server_default="1"),
    Column("first_error_class", CleanText),
    Column("retry_wait_s", Number),
    Column("cap_wait_s", Number),
    Column("server_queue_s", Number),
    Column("load_s", Number),
    Column("prefill_s", Number),
    Column("answer", CleanText),  # the last column, so that reading the others passes it by
)

request_columns = Table(  # the same of a large run, a field at a time, see `request_columns.py`
    "request_columns",
    metadata,
    _run_id(),
    Column("part", Key, primary_key=True),  # requests in order, so many a part
    Column("name", Text, primary_key=True),
    Column("requests", Integer, nullable=False),  # in the part
    Column("data", LargeBinary, nullable=False),
)

span_exports = Table(  # runs that are sent as OpenTelemetry spans, see `span_exports.py`
    "span_exports",
    metadata,
    _run_id(),
    Column("status", Text, nullable=False),
    Column("machine", Text, nullable=False),  # whose supervisor sends it, as a hash
    Column("receiver", CleanText, nullable=False, server_default=""),  # host and port
    Column("sent", Integer, nullable=False, server_default="0"),  # requests
    Column("after_repeat", Integer),  # the last request that was sent
    Column("after_idx", Integer),
    Column("error", CleanText),
    Column("changed_at", Utc, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    _run_id(),
    Column("t", Number, primary_key=True),
    Column("repeat", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("in_flight", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("late_p99_s", Number),
    Column("lag_p99_s", Number),
    Column("cpu_share", Number),
)

samples = Table(
    "samples",
    metadata,
    _run_id(),
    Column("t", Number, primary_key=True),
    Column("values", Values, nullable=False),
)

Value = Measurement | Repeat | Progress | Sample
TABLES: dict[type[Value], Table] = {
    Measurement: requests,
    Repeat: repeats,
    Progress: progress,
    Sample: samples,
}


def columns(kind: type[Value], without: tuple[str, ...] = ()) -> list[Label[Any]]:
    """Return the columns that make a value of this kind, labelled with its fields' names."""
    names = [field.name for field in fields(kind) if field.name not in without]
    return [TABLES[kind].c[_column(name)].label(name) for name in names]


def row(run_id: int, value: Value) -> dict[str, Any]:
    """Return the row that keeps this value of a run."""
    values = {_column(field.name): getattr(value, field.name) for field in fields(value)}
    return {"run_id": run_id, **values}


def _column(field: str) -> str:
    return "idx" if field == "index" else field
