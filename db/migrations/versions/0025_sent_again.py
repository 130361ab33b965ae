"""How many retries a run has so far, for the live page."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column(
        "progress", sa.Column("sent_again", sa.Integer, nullable=False, server_default="0")
    )
