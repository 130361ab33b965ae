"""Runs in turns, imported runs, shared pages, pinned references."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("source", sa.JSON),
        sa.Column("trial_id", sa.Integer),
        sa.Column("turn", sa.Integer),
    ):
        op.add_column("runs", column)
    op.create_index("ix_runs_trial", "runs", ["trial_id"])
    op.create_index(
        "one_running_run_a_trial",
        "runs",
        ["trial_id"],
        unique=True,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("most", sa.Integer, nullable=False),
        sa.Column("target", sa.Double),
        sa.Column("margin", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shares",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("run_ids", sa.JSON, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment),
        sa.Column("texts", sa.Boolean, nullable=False),
        sa.Column("page", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "pins",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("pinned_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
    )
