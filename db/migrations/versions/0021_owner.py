"""Whose a run is: who may cancel it beside admins. A person's name is their e-mail address."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

PEOPLES = """
UPDATE runs SET owner = started_by WHERE started_by LIKE '%@%' AND started_by NOT LIKE '%)'
"""


def upgrade() -> None:
    op.add_column("runs", sa.Column("owner", sa.Text))
    op.execute(PEOPLES)
