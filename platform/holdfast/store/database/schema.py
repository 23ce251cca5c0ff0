"""The tables, in SQLAlchemy Core, for SQLite and PostgreSQL alike.

The migrations create these tables; a test compares the two, so a change here needs a migration beside it.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite drops the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Which Holdfast brought the database to which revision: an older one can then say which to use instead.
schema_history = Table(
    "schema_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", String(32), nullable=False),
    Column("holdfast", String(64), nullable=False),
    Column("applied_at", UtcDateTime, nullable=False),
)

# One row: which store this is, and where its files lie. A restored copy of the database has the same.
identity = Table(
    "identity",
    metadata,
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("store", String(32), nullable=False),
    Column("artifacts", Text),
)

# Numbers that must be handed out in commit order: the writer of a row holds it until it commits.
counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
    # New with every number: a restored database hands out the same numbers again.
    Column("nonce", String(32), nullable=False, server_default=""),
)

# Writes of entries by their last number, and numbers that something on a disk was made at.
marks = Table(
    "marks",
    metadata,
    Column("nonce", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("left_by", String(64), nullable=False),
    Index("ix_marks_seq", "left_by", "seq"),
)

# Who may write, one row a name: the epoch grows with every holder, the rest tells who holds it (or held it).
leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    # Where the pid means something, and when that process began: a pid alone may be anybody's by now.
    Column("machine", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Text, nullable=False),
    # Seconds since 1970 by the clock of the database, the one clock that all writers share; 0 is released.
    Column("expires_at", Float(53), nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(32), nullable=False, unique=True),
    Column("parent", String(32), ForeignKey("versions.name")),
    Column("run", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("task", Integer, nullable=False),
    Column("contract", String(64), nullable=False),
    Column("contract_body", JSON, nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("experiment", Text, nullable=False),
    Column("data_fingerprint", Text, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("files", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # trained, projection, distilled, foreign.
    Column("kind", String(16), nullable=False, server_default="trained"),
    # image, text, both or none.
    Column("takes", JSON, nullable=False, server_default='["image"]'),
    # Of a projection: the version whose vectors it maps.
    Column("base", String(32), ForeignKey("versions.name")),
    # Its files are gone then, and its name is never given again.
    Column("retired_at", UtcDateTime),
    UniqueConstraint("run", "attempt", "task"),
)

# The adapter in force for each pair: a new fit takes the place of the old one.
adapters = Table(
    "adapters",
    metadata,
    Column("query", String(32), ForeignKey("versions.name"), primary_key=True),
    Column("gallery", String(32), ForeignKey("versions.name"), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("artifact", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("maps", String(16), nullable=False),
    Column("config", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# What each pair's scores are ranked by; counts with the adapter that it was measured with, or none.
calibrations = Table(
    "calibrations",
    metadata,
    Column("query", String(32), ForeignKey("versions.name"), primary_key=True),
    Column("gallery", String(32), ForeignKey("versions.name"), primary_key=True),
    Column("shift", Float(53), nullable=False),
    Column("adapter", String(64)),
    Column("gain", Float(53)),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("config", JSON, nullable=False),
    Column("measured_at", UtcDateTime, nullable=False),
)

# Append-only: of the rows of a (query, gallery, metric, candidates, truth) that were measured with the
# adapter in force (or without one where there is none) the newest counts.
compatibility = Table(
    "compatibility",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("query", String(32), ForeignKey("versions.name"), nullable=False),
    Column("gallery", String(32), ForeignKey("versions.name"), nullable=False),
    Column("metric", String(32), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("reference", Float(53), nullable=False),
    Column("low", Float(53), nullable=False),
    Column("high", Float(53), nullable=False),
    Column("compatible", Boolean, nullable=False),
    Column("evaluation", Text, nullable=False),
    # The digest of the adapter that the queries or the entries went through; null where there was none.
    Column("adapter", String(64)),
    Column("measured_at", UtcDateTime, nullable=False),
    # Of a cascade: how many entries are recalled and then ranked by their images; 0 is no cascade.
    Column("candidates", Integer, nullable=False, server_default="0"),
    # What a right answer was told by: labels, pairs, views, agreement.
    Column("truth", String(16), nullable=False, server_default="labels"),
    Index("ix_compatibility_pair", "query", "gallery", "metric"),
)

runs = Table(
    "runs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("parent", String(32), ForeignKey("versions.name")),
    Column("experiment_hash", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)

# Append-only: the row of the highest epoch is in force.
traffic = Table(
    "traffic",
    metadata,
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("query_version", String(32), ForeignKey("versions.name")),
    Column("write_version", String(32), ForeignKey("versions.name")),
    Column("canary_version", String(32), ForeignKey("versions.name")),
    Column("canary_share", Float(53), nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The name of a key, or a user of a machine; empty where nobody said.
    Column("made_by", Text, nullable=False, server_default=""),
    # Names of keys whose queries all go to the canary.
    Column("canary_keys", JSON, nullable=False, server_default="[]"),
    # Answers this share of the live version's queries beside it, unseen.
    Column("shadow_version", String(32), ForeignKey("versions.name")),
    Column("shadow_share", Float(53), nullable=False, server_default="1"),
)

# What a shadow found, a row for each process that asks it, which alone writes it, whole.
shadows = Table(
    "shadows",
    metadata,
    # The first traffic record of this live version and this shadow.
    Column("since", Integer, primary_key=True, autoincrement=False),
    Column("source", String(64), primary_key=True),
    Column("live", String(32), ForeignKey("versions.name"), nullable=False),
    Column("shadow", String(32), ForeignKey("versions.name"), nullable=False),
    Column("tally", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Changes of the traffic that are to come, or came, or could not.
schedule = Table(
    "schedule",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("changes", JSON, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # The number of the first of those that end with one that fails.
    Column("series", Integer),
    # Only while this version is the canary.
    Column("expect_canary", String(32)),
    Column("status", String(16), nullable=False),
    Column("finished_at", UtcDateTime),
    # Of the record that it made.
    Column("epoch", Integer),
    Column("error", Text),
    Index("ix_schedule_status", "status", "at"),
)

keys = Table(
    "keys",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("name", Text),
    Column("expires_at", UtcDateTime),
    # A name is free again once its key is revoked.
    Index(
        "ix_keys_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("version", String(32), ForeignKey("versions.name"), nullable=False),
    Column("vector", LargeBinary),
    Column("attributes", JSON, nullable=False),
    Column("source", Text),
    Column("deleted", Boolean, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # Of a vector that an adapter moved: the version that looked at the image, and the adapter's digest.
    Column("mapped_from", String(32)),
    Column("mapped_by", String(64)),
    Index("ix_entries_version", "version", "deleted"),
)

# How far an import has come: the position is committed with the rows before it.
imports = Table(
    "imports",
    metadata,
    Column("origin", String(64), primary_key=True),
    Column("version", String(32), ForeignKey("versions.name"), primary_key=True),
    Column("position", Text, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# What is still to be done is told by the entries themselves; a row holds what was asked and what came of it.
backfills = Table(
    "backfills",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("sources", JSON, nullable=False),
    Column("target", String(32), ForeignKey("versions.name"), nullable=False),
    Column("order", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("skipped", JSON, nullable=False),
    Column("examples", JSON, nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("pace", Float(53)),
    Column("workers", Integer, nullable=False),
    Column("forced", Boolean, nullable=False),
    # Who works on it: a new claim takes the next epoch, and what an older one does no longer counts.
    Column("epoch", Integer, nullable=False),
    Column("owner", Text),
    Column("seen_at", UtcDateTime),
    Column("error", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
)
