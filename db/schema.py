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

REVISION = "0027"  # the newest migration; a database at this revision needs no Alembic

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
    Column("model", CleanText, nullable=False),  # the one that answers, once it is known
    Column("mode", Text, nullable=False),
    Column("lane", CleanText, nullable=False),  # a resource that only one run at a time may use
    Column("config", Json, nullable=False),  # the config as it was submitted
    Column("created_at", Utc, nullable=False),
    Column("started_at", Utc),
    Column("ended_at", Utc),
    Column("heartbeat_at", Utc),
    Column("phase", CleanText, nullable=False, server_default=""),
    Column("error", CleanText),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("environment", Json, nullable=False, server_default="{}"),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("headline", Json, nullable=False, server_default="{}"),  # the numbers that History shows
    Column("calibration", Json(none_as_null=True)),
    Column("source", Json(none_as_null=True)),  # of an imported run: the other tool's file
    Column("trial_id", Key, key="comparison_id"),  # the comparison that it belongs to
    Column("turn", Integer, key="item_index"),  # the next work item in its comparison, from 0
    Column("study_id", Key),  # the study that it is a cell of
    Column("cell", Integer),  # its index in the study's grid, from 0
    Column("engine_id", Key),  # the engine that Paceline starts for it
    Column("destination", Json(none_as_null=True)),  # where it is sent, without secrets
    Column("ticket", Text),  # under which a supervisor holds the secrets in memory
    Column("machine", Text),  # where it was last measured, as a hash
    Column("started_by", CleanText),  # a person or a token, if sign-in is on
    Column("owner", CleanText),  # who may cancel it besides admins: `Person.caller`
    Column("maker", CleanText),  # who made it, if the owner is a token
    Column("token_times_removed_at", Utc),  # of its requests, see db/retention.py
    sqlite_autoincrement=True,  # so that a link to a deleted run never leads to another run
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
        Column("most", Integer, nullable=False),  # of each run, if the target requires more
        Column("target", Number),  # half the interval's width, as a share; NULL: no target
        Column("margin", Number, nullable=False),  # differences within it do not matter, as a share
        sqlite_autoincrement=True,
    )
)

engines = Table(  # server processes that Paceline starts, see services/servers/engines/
    "engines",
    metadata,
    Column("id", Key, primary_key=True),
    Column("status", Text, nullable=False),
    Column("config", Json, nullable=False),  # the config as it was submitted
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
    Column("facts", Json, nullable=False, server_default="{}"),  # what it reports about itself
    Column("error", CleanText),  # why it ended, a sentence
    Column("hint", CleanText),  # what to try
    sqlite_autoincrement=True,
)
Index("ix_engines_status", engines.c.status)

studies = Table(  # runs that differ in one or two things, see services/studies/
    "studies",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("note", CleanText, nullable=False, server_default=""),
    Column("created_at", Utc, nullable=False),
    Column("grid", Json, nullable=False),  # the config as it was submitted
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
    Column("config", Json, nullable=False),  # the config as it was submitted
    Column("status", Text, nullable=False),
    Column("error", CleanText),
    Column("machine", Text),  # the only one that can reach its servers, as a hash
    Column("started_by", Text),  # a person, a token or the user of a terminal
    Column("owner", CleanText),  # see `runs`: the owner of its probes, too
    Column("maker", CleanText),
    Column("probes", Json, nullable=False),  # each with its load, its run and its outcome
    Column("answer", Json),  # the capacity in short, with what it was computed from
    Column("study_id", Key),  # the study that it belongs to
    Column("engine_id", Key),  # the engine that Paceline starts for it
    Column("start", Integer, nullable=False, server_default="0"),  # which fresh start, from 0
    sqlite_autoincrement=True,
)

shares = Table(  # pages that anyone with the token can see
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

baselines = Table(  # the run with which others of a model or a tag are compared
    "pins",
    metadata,
    Column("kind", Text, primary_key=True),  # model or tag
    Column("value", CleanText, primary_key=True),
    Column("run_id", Key, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("pinned_at", Utc, key="set_at", nullable=False),
)

servers = Table(  # saved servers, see services/ask/saved_server.py
    "servers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("fields", Json, nullable=False),
    Column("saved_at", Utc, nullable=False),
)

api_tokens = Table(  # the hashes of tokens for the API, see db/tokens.py
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("made_by", CleanText),  # an e-mail address, or the user of a terminal
    sqlite_autoincrement=True,  # never reused: tasks and runs name a token by its number
)

task_batches = Table(  # tasks that were submitted together, see services/ask/tasks/
    "task_batches",
    metadata,
    Column("id", Key, primary_key=True),
    Column("batch_id", Text, nullable=False, unique=True),  # the id that its caller sees
    Column("caller", CleanText, nullable=False),
    Column("maker", CleanText),  # who made the caller, if a token; sees and cancels them, too
    Column("created_at", Utc, nullable=False),
    Column("count", Integer, nullable=False),
    Column("idempotency", Text),  # the hash of its idempotency key
    Column("fingerprint", Text),  # the hash of the request with that key
    UniqueConstraint("caller", "idempotency", name="one_batch_a_key"),
    sqlite_autoincrement=True,
)
Index("ix_task_batches_created_at", task_batches.c.created_at)

task_settings = Table(  # where tasks of a batch are sent, and with which options
    "task_settings",
    metadata,
    Column("id", Key, primary_key=True),
    Column("batch", Key, ForeignKey("task_batches.id", ondelete="CASCADE"), nullable=False),
    Column("config", Json, nullable=False),
    Column("destination", Json, nullable=False),  # without secrets
    Column("ticket", Text),  # under which a supervisor holds the secrets in memory
    sqlite_autoincrement=True,
)
Index("ix_task_settings_batch", task_settings.c.batch)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Key, primary_key=True),
    Column("task_id", Text, nullable=False, unique=True),  # the id that its caller sees
    Column("batch", Key, ForeignKey("task_batches.id", ondelete="CASCADE"), nullable=False),
    Column("settings", Key, nullable=False),
    Column("caller", CleanText, nullable=False),
    Column("server", CleanText, nullable=False),  # whose tasks are handled by one process
    Column("machine", Text),  # the only one that can reach it
    Column("backend", CleanText, nullable=False),
    Column("model", CleanText, nullable=False),  # the one that answered, once it is known
    Column("custom_id", CleanText),
    Column("status", Text, nullable=False),
    Column("worker", Text),  # the process that has taken it
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
Index(
    "ix_tasks_worker",
    tasks.c.worker,
    sqlite_where=text("worker IS NOT NULL"),
    postgresql_where=text("worker IS NOT NULL"),
)
Index(
    "ix_tasks_waiting",
    tasks.c.server,
    tasks.c.caller,
    tasks.c.id,
    sqlite_where=text("status = 'queued'"),
    postgresql_where=text("status = 'queued'"),
)
Index("ix_tasks_ended_at", tasks.c.ended_at)

task_workers = Table(  # the processes that answer tasks
    "task_workers",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("place", Text, nullable=False),  # at which only one of them runs at a time
    Column("machine", Text, nullable=False),
    Column("heartbeat_at", Utc, nullable=False),
)

task_servers = Table(  # the servers that one of them has claimed
    "task_servers",
    metadata,
    Column("server", CleanText, primary_key=True),
    Column("worker", Text, nullable=False),
)

filters = Table(  # saved filters of History
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
    Column("answer", CleanText),  # the last column, so that reading the others skips it
)

request_columns = Table(  # the requests of a large run by field, see `request_columns.py`
    "request_columns",
    metadata,
    _run_id(),
    Column("part", Key, primary_key=True),  # from 0: requests in order, a fixed number in each part
    Column("name", Text, primary_key=True),
    Column("requests", Integer, nullable=False),  # in the part
    Column("data", LargeBinary, nullable=False),
)

span_exports = Table(  # runs to be sent as OpenTelemetry spans, see `span_exports.py`
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
    Column("sent_again", Integer, nullable=False, server_default="0"),
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
    """Return the columns that make up a value of this kind, labelled with the names of its
    fields."""
    names = [field.name for field in fields(kind) if field.name not in without]
    return [TABLES[kind].c[_column(name)].label(name) for name in names]


def row(run_id: int, value: Value) -> dict[str, Any]:
    """Return the row that stores this value of a run."""
    values = {_column(field.name): getattr(value, field.name) for field in fields(value)}
    return {"run_id": run_id, **values}


def _column(field: str) -> str:
    return "idx" if field == "index" else field
