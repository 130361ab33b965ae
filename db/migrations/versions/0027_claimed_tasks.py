"""The index of tasks by process without those of no process: almost all, which a look for waiting
tasks read four times a second."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
CLAIMED = sa.text("worker IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_tasks_worker", "tasks")
    op.create_index(
        "ix_tasks_worker", "tasks", ["worker"], sqlite_where=CLAIMED, postgresql_where=CLAIMED
    )
