"""All tables. Databases of earlier numbers were never released, and are refused."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("nonce", sa.String(32), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    names = ("versions", "entries", "compatibility", "traffic", "runs", "backfills")
    op.bulk_insert(counters, [{"name": name, "value": 0, "nonce": secrets.token_hex(16)} for name in names])
    op.create_table(
        "identity",
        sa.Column("row", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("store", sa.String(32), nullable=False),
        sa.Column("artifacts", sa.Text),
        sa.PrimaryKeyConstraint("row", name="pk_identity"),
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
    op.create_table(
        "marks",
        sa.Column("nonce", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("left_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name="pk_marks"),
    )
    op.create_index("ix_marks_seq", "marks", ["left_by", "seq"])
    op.create_table(
        "schema_history",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("holdfast", sa.String(64), nullable=False),
        sa.Column("applied_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schema_history"),
    )
    op.create_table(
        "versions",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
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
        sa.ForeignKeyConstraint(["parent"], ["versions.name"], name="fk_versions_parent"),
        sa.PrimaryKeyConstraint("number", name="pk_versions"),
        sa.UniqueConstraint("name", name="uq_versions_name"),
        sa.UniqueConstraint("run", "attempt", "task", name="uq_versions_run"),
    )
    op.create_table(
        "adapters",
        sa.Column("query", sa.String(32), nullable=False),
        sa.Column("gallery", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("artifact", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("maps", sa.String(16), nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_adapters_gallery"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_adapters_query"),
        sa.PrimaryKeyConstraint("query", "gallery", name="pk_adapters"),
    )
    op.create_table(
        "backfills",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("target", sa.String(32), nullable=False),
        sa.Column("order", sa.String(16), nullable=False),
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
        sa.Column("seen_at", MOMENT),
        sa.Column("error", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.ForeignKeyConstraint(["target"], ["versions.name"], name="fk_backfills_target"),
        sa.PrimaryKeyConstraint("number", name="pk_backfills"),
    )
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
        sa.Column("measured_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_calibrations_gallery"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_calibrations_query"),
        sa.PrimaryKeyConstraint("query", "gallery", name="pk_calibrations"),
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
        sa.Column("adapter", sa.String(64)),
        sa.Column("measured_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["gallery"], ["versions.name"], name="fk_compatibility_gallery"),
        sa.ForeignKeyConstraint(["query"], ["versions.name"], name="fk_compatibility_query"),
        sa.PrimaryKeyConstraint("id", name="pk_compatibility"),
    )
    op.create_index("ix_compatibility_pair", "compatibility", ["query", "gallery", "metric"])
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
        sa.Column("mapped_from", sa.String(32)),
        sa.Column("mapped_by", sa.String(64)),
        sa.ForeignKeyConstraint(["version"], ["versions.name"], name="fk_entries_version"),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.UniqueConstraint("seq", name="uq_entries_seq"),
    )
    op.create_index("ix_entries_version", "entries", ["version", "deleted"])
    op.create_table(
        "runs",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("parent", sa.String(32)),
        sa.Column("experiment_hash", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.ForeignKeyConstraint(["parent"], ["versions.name"], name="fk_runs_parent"),
        sa.PrimaryKeyConstraint("name", "attempt", name="pk_runs"),
    )
    op.create_table(
        "traffic",
        sa.Column("epoch", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("query_version", sa.String(32)),
        sa.Column("write_version", sa.String(32)),
        sa.Column("canary_version", sa.String(32)),
        sa.Column("canary_share", sa.Float(53), nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["canary_version"], ["versions.name"], name="fk_traffic_canary_version"),
        sa.ForeignKeyConstraint(["query_version"], ["versions.name"], name="fk_traffic_query_version"),
        sa.ForeignKeyConstraint(["write_version"], ["versions.name"], name="fk_traffic_write_version"),
        sa.PrimaryKeyConstraint("epoch", name="pk_traffic"),
    )
