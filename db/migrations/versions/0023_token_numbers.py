"""Numbers of tokens are given once: a token's tasks and runs are told by its number, and SQLite
would give that of the last token, once it is gone, to the next one."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

COLUMNS = "id, hash, name, role, created_at, expires_at, made_by"
CALLERS = """
SELECT caller FROM task_batches WHERE caller LIKE '% (token) %'
UNION SELECT owner FROM runs WHERE owner LIKE '% (token) %'
"""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":  # its sequences never go back
        return
    op.rename_table("api_tokens", "former_api_tokens")
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text),
        sqlite_autoincrement=True,
    )
    op.execute(f"INSERT INTO api_tokens ({COLUMNS}) SELECT {COLUMNS} FROM former_api_tokens")
    op.drop_table("former_api_tokens")
    _go_on_after(connection)


def _go_on_after(connection: sa.Connection) -> None:
    """Let the next number be none that something belongs to, nor that of a token there is."""
    ends = [caller.rpartition(" ")[2] for caller in connection.scalars(sa.text(CALLERS))]
    there = connection.scalar(sa.text("SELECT max(id) FROM api_tokens")) or 0
    last = max([there, *(int(end) for end in ends if end.isdecimal())])
    connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'api_tokens'"))
    sequence = sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('api_tokens', :last)")
    connection.execute(sequence, {"last": last})
