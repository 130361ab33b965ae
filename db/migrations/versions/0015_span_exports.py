"""Which runs are sent as OpenTelemetry spans, how far that is, and why it failed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run = sa.ForeignKey("runs.id", ondelete="CASCADE")
    op.create_table(
        "span_exports",
        sa.Column("run_id", sa.Integer, run, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False, server_default=""),
        sa.Column("sent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("after_repeat", sa.Integer),
        sa.Column("after_idx", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
