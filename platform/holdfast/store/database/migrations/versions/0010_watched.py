"""Keys with names and an end; who changed the traffic."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UNREVOKED = sa.text("revoked_at IS NULL")


def upgrade() -> None:
    op.add_column("keys", sa.Column("name", sa.Text))
    op.add_column("keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_keys_name", "keys", ["name"], unique=True, sqlite_where=UNREVOKED, postgresql_where=UNREVOKED
    )
    op.add_column("traffic", sa.Column("made_by", sa.Text, server_default="", nullable=False))
