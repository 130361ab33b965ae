"""Tasks: single prompts that are answered in the background, and the processes that see to it."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
WAITING = sa.text("status = 'queued'")
OPEN = sa.text("ended_at IS NULL")


def moment(name: str, nullable: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "task_batches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("batch_id", sa.Text, nullable=False, unique=True),
        sa.Column("caller", sa.Text, nullable=False),
        moment("created_at", nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("idempotency", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.UniqueConstraint("caller", "idempotency", name="one_batch_a_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_batches_created_at", "task_batches", ["created_at"])
    batch = sa.ForeignKey("task_batches.id", ondelete="CASCADE")
    op.create_table(
        "task_settings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("batch", sa.Integer, batch, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("destination", sa.JSON, nullable=False),
        sa.Column("ticket", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_task_settings_batch", "task_settings", ["batch"])
    batch = sa.ForeignKey("task_batches.id", ondelete="CASCADE")
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task_id", sa.Text, nullable=False, unique=True),
        sa.Column("batch", sa.Integer, batch, nullable=False),
        sa.Column("settings", sa.Integer, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("machine", sa.Text),
        sa.Column("backend", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("custom_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("asked", sa.Integer, nullable=False, server_default="0"),
        moment("started_at"),
        moment("ended_at"),
        sa.Column("finish_reason", sa.Text),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("output_tokens", sa.Integer),
        sa.Column("reasoning_tokens", sa.Integer),
        sa.Column("cached_tokens", sa.Integer),
        sa.Column("ttft_s", sa.Double),
        sa.Column("e2e_s", sa.Double),
        sa.Column("attempts", sa.Integer),
        sa.Column("http_status", sa.Integer),
        sa.Column("error_class", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tasks_batch", "tasks", ["batch", "status"])
    op.create_index(
        "ix_tasks_open", "tasks", ["settings"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_tasks_worker", "tasks", ["worker"])
    op.create_index("ix_tasks_ended_at", "tasks", ["ended_at"])
    op.create_index(
        "ix_tasks_waiting",
        "tasks",
        ["server", "caller", "id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "task_workers",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        moment("heartbeat_at", nullable=False),
    )
    op.create_table(
        "task_servers",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, nullable=False),
    )
