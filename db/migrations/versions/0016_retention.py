"""When a run's token times were removed, because they were old."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("runs", sa.Column("token_times_removed_at", sa.DateTime(timezone=True)))
