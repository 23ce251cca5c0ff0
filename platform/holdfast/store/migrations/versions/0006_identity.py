"""Which store a database is, and where its files lie."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Its one row is written by whoever opens the store first.
    op.create_table(
        "identity",
        sa.Column("row", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("store", sa.String(32), nullable=False),
        sa.Column("artifacts", sa.Text),
        sa.PrimaryKeyConstraint("row", name="pk_identity"),
    )


def downgrade() -> None:
    op.drop_table("identity")
