"""Versions that others made, or that map vectors of a base; ways that were measured for a pair; imports that
go on where they stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("versions", sa.Column("kind", sa.String(16), server_default="trained", nullable=False))
    op.add_column("versions", sa.Column("takes", sa.JSON, server_default='["image"]', nullable=False))
    # In words: SQLite takes a foreign key with a new column, and alembic would give it apart.
    op.execute(
        "ALTER TABLE versions ADD COLUMN base VARCHAR(32) "
        "CONSTRAINT fk_versions_base REFERENCES versions (name)"
    )
    op.add_column("compatibility", sa.Column("candidates", sa.Integer, server_default="0", nullable=False))
    op.add_column("compatibility", sa.Column("truth", sa.String(16), server_default="labels", nullable=False))
    op.create_table(
        "imports",
        sa.Column("origin", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("position", sa.Text, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["version"], ["versions.name"], name="fk_imports_version"),
        sa.PrimaryKeyConstraint("origin", "version", name="pk_imports"),
    )
