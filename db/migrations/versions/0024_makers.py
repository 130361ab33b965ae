"""Who made the token through which something was started: its maker may cancel that, also once the
token is revoked. What tokens of today have started is known by their numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

MAKERS = """
UPDATE {table} SET maker = (
    SELECT made_by FROM api_tokens
    WHERE name || ' (token) ' || CAST(id AS TEXT) = {table}.{caller}
) WHERE {caller} LIKE '% (token) %'
"""


def upgrade() -> None:
    for table, caller in (("runs", "owner"), ("task_batches", "caller")):
        op.add_column(table, sa.Column("maker", sa.Text))
        op.execute(MAKERS.format(table=table, caller=caller))
    for name in ("owner", "maker"):
        op.add_column("capacities", sa.Column(name, sa.Text))
