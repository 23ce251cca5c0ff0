"""The first schema: versions, compatibility, runs, traffic, keys, entries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "schema_history",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("holdfast", sa.String(64), nullable=False),
        sa.Column("applied_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schema_history"),
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    names = ("versions", "entries", "compatibility", "traffic", "runs", "writer")
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in names])
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("parent", sa.String(32)),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("task", sa.Integer, nullable=False),
        sa.Column("contract", sa.String(64), nullable=False),
        sa.Column("contract_body", sa.JSON, nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("data_fingerprint", sa.Text, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("artifacts", sa.Text, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_versions"),
        sa.UniqueConstraint("name", name="uq_versions_name"),
        sa.UniqueConstraint("run", "attempt", "task", name="uq_versions_run"),
        sa.ForeignKeyConstraint(["parent"], ["versions.name"], name="fk_versions_parent"),
    )
    op.create_table(
        "compatibility",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("query", sa.String(32), nullable=False),
        sa.Column("gallery", sa.String(32), nullable=False),
        sa.Column("metric", sa.String(32), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("reference", sa.Float(53), nullable=False),
        sa.Column("low", sa.Float(53), nullable=False),
        sa.Column("high", sa.Float(53), nullable=False),
        sa.Column("compatible", sa.Boolean, nullable=False),
        sa.Column("evaluation", sa.Text, nullable=False),
        sa.Column("measured_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_compatibility"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_compatibility_query"),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_compatibility_gallery"),
    )
    op.create_index("ix_compatibility_pair", "compatibility", ["query", "gallery", "metric"])
    op.create_table(
        "runs",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("parent", sa.String(32)),
        sa.Column("experiment_hash", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("name", "attempt", name="pk_runs"),
        sa.ForeignKeyConstraint(["parent"], ["versions.name"], name="fk_runs_parent"),
    )
    op.create_table(
        "traffic",
        sa.Column("epoch", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("query_version", sa.String(32)),
        sa.Column("write_version", sa.String(32)),
        sa.Column("canary_version", sa.String(32)),
        sa.Column("canary_share", sa.Float(53), nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_traffic"),
        sa.ForeignKeyConstraint(["query_version"], ["versions.name"], name="fk_traffic_query_version"),
        sa.ForeignKeyConstraint(["write_version"], ["versions.name"], name="fk_traffic_write_version"),
        sa.ForeignKeyConstraint(["canary_version"], ["versions.name"], name="fk_traffic_canary_version"),
    )
    op.create_table(
        "keys",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("digest", name="pk_keys"),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.UniqueConstraint("seq", name="uq_entries_seq"),
        sa.ForeignKeyConstraint(["version"], ["versions.name"], name="fk_entries_version"),
    )
    op.create_index("ix_entries_version", "entries", ["version", "deleted"])
