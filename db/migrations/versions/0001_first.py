"""Runs, their tags, repeats, requests and progress."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _runs()
    _parts_of_a_run()
    _requests()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("heartbeat_at", MOMENT),
        sa.Column("phase", sa.Text, nullable=False, server_default=""),
        sa.Column("error", sa.Text),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("environment", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("headline", sa.JSON, nullable=False, server_default="{}"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "one_running_run_a_lane",
        "runs",
        ["lane"],
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index("ix_runs_status", "runs", ["status"])


def _parts_of_a_run() -> None:
    op.create_table(
        "run_tags",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("tag", sa.Text, nullable=False),
        *_keys("run_tags", "tag"),
    )
    op.create_table(
        "repeats",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("duration_s", sa.Double),
        sa.Column("health", sa.JSON, nullable=False),
        *_keys("repeats", "idx"),
    )
    op.create_table(
        "progress",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("t", sa.Double, nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        *_keys("progress", "t"),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("idx", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("t_due", sa.Double, nullable=False),
        sa.Column("t_send", sa.Double),
        sa.Column("t_first", sa.Double),
        sa.Column("t_answer", sa.Double),
        sa.Column("t_last", sa.Double),
        sa.Column("t_end", sa.Double),
        sa.Column("token_times", sa.LargeBinary, nullable=False),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("reasoning_tokens", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
        sa.Column("token_source", sa.Text, nullable=False),
        sa.Column("error_class", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("http_status", sa.Integer),
        sa.Column("finish_reason", sa.Text),
        sa.Column("connect_s", sa.Double),
        sa.Column("coalesced_reads", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text),
        *_keys("requests", "repeat", "idx"),
    )


def _keys(table: str, *rest: str) -> tuple[sa.Constraint, ...]:
    """The primary key (run_id, *rest), and rows that go when their run goes."""
    return (
        sa.PrimaryKeyConstraint("run_id", *rest, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=f"fk_{table}_run_id_runs", ondelete="CASCADE"
        ),
    )
