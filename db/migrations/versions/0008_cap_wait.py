"""How long a request that was due waited for a place below the maximum concurrency."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("requests", sa.Column("cap_wait_s", sa.Double))
