"""How long each request waited in the server and was prefilled, as the server says."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for name in ("server_queue_s", "load_s", "prefill_s"):
        op.add_column("requests", sa.Column(name, sa.Double))
