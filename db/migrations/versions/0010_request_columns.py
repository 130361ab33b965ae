"""The fields of a large run's requests as arrays, so that a page needs not read every request."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "request_columns",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "part", "name", name="pk_request_columns"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name="fk_request_columns_run_id_runs", ondelete="CASCADE"
        ),
    )
