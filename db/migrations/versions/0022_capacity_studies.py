"""Searches for capacities that are part of a study."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("capacities", sa.Column("study_id", sa.Integer))
    op.add_column("capacities", sa.Column("engine_id", sa.Integer))
    op.add_column("capacities", sa.Column("start", sa.Integer, nullable=False, server_default="0"))
