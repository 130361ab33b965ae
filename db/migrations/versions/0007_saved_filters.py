"""What History is narrowed by, under a name."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "filters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
    )
