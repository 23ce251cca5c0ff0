"""Backfills, and where a mapped entry comes from."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("mapped_from", sa.String(32)))
    op.add_column("entries", sa.Column("mapped_by", sa.String(64)))
    op.create_table(
        "backfills",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("target", sa.String(32), nullable=False),
        sa.Column("ordering", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("skipped", sa.JSON, nullable=False),
        sa.Column("examples", sa.JSON, nullable=False),
        sa.Column("batch_size", sa.Integer, nullable=False),
        sa.Column("pace", sa.Float(53)),
        sa.Column("workers", sa.Integer, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("number", name="pk_backfills"),
        sa.ForeignKeyConstraint(["target"], ["versions.name"], name="fk_backfills_target"),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('backfills', 0)")


def downgrade() -> None:
    # A mapped entry stays what it is, an entry of its target version: the vector before is gone.
    op.execute("DELETE FROM counters WHERE name = 'backfills'")
    op.drop_table("backfills")
    op.drop_column("entries", "mapped_by")
    op.drop_column("entries", "mapped_from")
