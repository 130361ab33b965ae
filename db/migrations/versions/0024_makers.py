"""Who made the token through which something was started: its maker may cancel that, also once the
token is revoked. What tokens of today have started is known by their numbers, and by when: before
0023 SQLite gave the number of a revoked token to the next one, which may be another person's.

Addresses that a provider wrote with capitals become those that people are known by now. Batches of
such callers stay as they are: one may have a key that the other has, and they are soon deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

MAKERS = """
UPDATE {table} SET maker = (
    SELECT made_by FROM api_tokens
    WHERE name || ' (token) ' || CAST(id AS TEXT) = {table}.{caller}
    AND api_tokens.created_at <= {table}.created_at
) WHERE {caller} LIKE '% (token) %'
"""
SMALL = """
UPDATE {table} SET {address} = lower({address}) WHERE {address} LIKE '%@%'
AND {address} NOT LIKE '% (token) %' AND {address} NOT LIKE '% (terminal)'
"""


def upgrade() -> None:
    for table, address in (("api_tokens", "made_by"), ("runs", "owner")):
        op.execute(SMALL.format(table=table, address=address))
    for table, caller in (("runs", "owner"), ("task_batches", "caller")):
        op.add_column(table, sa.Column("maker", sa.Text))
        op.execute(MAKERS.format(table=table, caller=caller))
    for name in ("owner", "maker"):
        op.add_column("capacities", sa.Column(name, sa.Text))
