"""Engines that Paceline starts, studies over them, and what was seen of them meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("study_id", "cell", "engine_id"):
        op.add_column("runs", sa.Column(name, sa.Integer))
    op.create_index("ix_runs_study", "runs", ["study_id"])
    op.create_index("ix_runs_engine", "runs", ["engine_id"])
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "engines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("study_id", sa.Integer),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("started_at", moment),
        sa.Column("ready_at", moment),
        sa.Column("ended_at", moment),
        sa.Column("heartbeat_at", moment),
        sa.Column("starts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("stop_requested", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("phase", sa.Text, nullable=False, server_default=""),
        sa.Column("base_url", sa.Text),
        sa.Column("pid", sa.Integer),
        sa.Column("machine", sa.Text),
        sa.Column("command", sa.Text, nullable=False, server_default=""),
        sa.Column("facts", sa.JSON, nullable=False, server_default="{}"),
        sa.Column("error", sa.Text),
        sa.Column("hint", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_engines_status", "engines", ["status"])
    op.create_table(
        "studies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("grid", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "samples",
        sa.Column("run_id", sa.Integer, primary_key=True),
        sa.Column("t", sa.Double, primary_key=True),
        sa.Column("values", sa.JSON, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], ondelete="CASCADE"),
    )
