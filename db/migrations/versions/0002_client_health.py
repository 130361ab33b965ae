"""The client's health while a run is measured, and its calibration."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("runs", sa.Column("calibration", sa.JSON))
    for name in ("late_p99_s", "lag_p99_s", "cpu_share"):
        op.add_column("progress", sa.Column(name, sa.Double))
