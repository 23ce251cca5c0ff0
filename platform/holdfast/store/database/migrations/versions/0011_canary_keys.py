"""A canary for some keys."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("traffic", sa.Column("canary_keys", sa.JSON, server_default="[]", nullable=False))
