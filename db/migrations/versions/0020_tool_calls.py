"""Calls of tools in the answer to a task."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("tool_calls", sa.JSON))
