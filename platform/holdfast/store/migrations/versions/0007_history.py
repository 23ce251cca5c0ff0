"""Marks of the writes, by which a cache knows the history of the database that it has followed."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("counters", sa.Column("nonce", sa.String(32), nullable=False, server_default=""))
    op.create_table(
        "marks",
        sa.Column("nonce", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("left_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name="pk_marks"),
    )
    op.create_index("ix_marks_seq", "marks", ["left_by", "seq"])
    nonce = secrets.token_hex(16)
    op.execute(f"UPDATE counters SET nonce = '{nonce}'")
    op.execute(
        "INSERT INTO marks (nonce, seq, left_by) "
        "SELECT nonce, value, 'write' FROM counters WHERE name = 'entries' AND value > 0"
    )


def downgrade() -> None:
    op.drop_index("ix_marks_seq", "marks")
    op.drop_table("marks")
    op.drop_column("counters", "nonce")
