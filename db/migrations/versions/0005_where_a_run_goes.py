"""To whom a run goes, without its secrets, and the ticket under which those are held."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("runs", sa.Column("destination", sa.JSON))
    op.add_column("runs", sa.Column("ticket", sa.Text))
    op.add_column("runs", sa.Column("machine", sa.Text))
