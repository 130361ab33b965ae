"""How often a request was sent, why again, and how long it waited in between."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("requests", sa.Column("attempts", sa.Integer, nullable=False, server_default="1"))
    op.add_column("requests", sa.Column("first_error_class", sa.Text))
    op.add_column("requests", sa.Column("retry_wait_s", sa.Double))
