"""Who started a run, and who made a token, where people sign in."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("runs", sa.Column("started_by", sa.Text))
    op.add_column("api_tokens", sa.Column("made_by", sa.Text))
