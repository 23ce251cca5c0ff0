"""The lease of the writer, in place of a counter that told the newest writer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    # Epochs go on from where they were. An older writer that still runs finds its counter gone, and so
    # commits nothing more.
    op.execute(
        "INSERT INTO leases (name, epoch, host, machine, pid, started, expires_at) "
        "SELECT name, value, '', '', 0, '', 0 FROM counters WHERE name = 'writer' AND value > 0"
    )
    op.execute("DELETE FROM counters WHERE name = 'writer'")


def downgrade() -> None:
    op.execute("INSERT INTO counters (name, value) VALUES ('writer', 0)")
    op.execute(
        "UPDATE counters SET value = (SELECT epoch FROM leases WHERE leases.name = 'writer') "
        "WHERE name = 'writer' AND EXISTS (SELECT 1 FROM leases WHERE leases.name = 'writer')"
    )
    op.drop_table("leases")
