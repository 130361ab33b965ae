"""The capacity that a search found, in short: computing it takes 40 ms for each server, which lists
of searches would wait for."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("capacities", sa.Column("answer", sa.JSON))
