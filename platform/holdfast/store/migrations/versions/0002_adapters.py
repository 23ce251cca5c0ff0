"""Adapters, and with which one a compatibility was measured."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adapters",
        sa.Column("query", sa.String(32), nullable=False),
        sa.Column("gallery", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("maps", sa.String(16), nullable=False),
        sa.Column("scale", sa.Float(53), nullable=False),
        sa.Column("shift", sa.Float(53), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("query", "gallery", name="pk_adapters"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_adapters_query"),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_adapters_gallery"),
    )
    op.add_column("compatibility", sa.Column("adapter", sa.String(64)))


def downgrade() -> None:
    # Whoever knows no adapters would take these for measurements without any.
    op.execute("DELETE FROM compatibility WHERE adapter IS NOT NULL")
    op.drop_column("compatibility", "adapter")
    op.drop_table("adapters")
