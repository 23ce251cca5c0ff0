"""How the scores of a pair of versions compare with those of the query version's own entries."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("query", sa.String(32), nullable=False),
        sa.Column("gallery", sa.String(32), nullable=False),
        sa.Column("shift", sa.Float(53), nullable=False),
        sa.Column("adapter", sa.String(64)),
        sa.Column("gain", sa.Float(53)),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("query", "gallery", name="pk_calibrations"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_calibrations_query"),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_calibrations_gallery"),
    )
    # So far only queries that are mapped had one, beside their adapter.
    op.execute(
        "INSERT INTO calibrations (query, gallery, shift, adapter, config, measured_at) "
        "SELECT query, gallery, shift, digest, '{}', created_at FROM adapters "
        "WHERE maps = 'queries'"
    )
    op.drop_column("adapters", "scale")
    op.drop_column("adapters", "shift")


def downgrade() -> None:
    for name, identity in ("scale", "1"), ("shift", "0"):
        column = sa.Column(name, sa.Float(53), nullable=False, server_default=identity)
        op.add_column("adapters", column)
    # Only of mapped queries, for whoever reads this ranks mapped entries by their scores as they are.
    op.execute(
        "UPDATE adapters SET shift = COALESCE((SELECT c.shift FROM calibrations AS c "
        "WHERE c.query = adapters.query AND c.gallery = adapters.gallery "
        "AND c.adapter = adapters.digest), 0) WHERE maps = 'queries'"
    )
    op.drop_table("calibrations")
