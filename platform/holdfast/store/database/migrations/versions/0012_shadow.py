"""A shadow beside the live version and what it found; changes of the traffic that are to come."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In words: SQLite takes a foreign key with a new column, and alembic would give it apart.
    op.execute(
        "ALTER TABLE traffic ADD COLUMN shadow_version VARCHAR(32) "
        "CONSTRAINT fk_traffic_shadow_version REFERENCES versions (name)"
    )
    op.add_column("traffic", sa.Column("shadow_share", sa.Float(53), server_default="1", nullable=False))
    op.create_table(
        "shadows",
        sa.Column("since", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("live", sa.String(32), nullable=False),
        sa.Column("shadow", sa.String(32), nullable=False),
        sa.Column("tally", sa.JSON, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("since", "source", name="pk_shadows"),
        sa.ForeignKeyConstraint(["live"], ["versions.name"], name="fk_shadows_live"),
        sa.ForeignKeyConstraint(["shadow"], ["versions.name"], name="fk_shadows_shadow"),
    )
    op.create_table(
        "schedule",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.JSON, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("series", sa.Integer),
        sa.Column("expect_canary", sa.String(32)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("epoch", sa.Integer),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("number", name="pk_schedule"),
    )
    op.create_index("ix_schedule_status", "schedule", ["status", "at"])
