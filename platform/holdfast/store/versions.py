"""Versions: what a task publishes, and how it gets into the database."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Engine, Row, insert, select, update

from holdfast.base import ConfigError, ConflictError, NotFoundError, StoreError, UnsoundError
from holdfast.store.artifacts import Artifacts, sha256
from holdfast.store.cuts import Cut
from holdfast.store.database import advance_counter, lock_counter, reading, versions, writing
from holdfast.store.traffic import aliases

if TYPE_CHECKING:
    from holdfast.models import Encoder, Model

NAME = re.compile(r"v[1-9][0-9]*")
DISTILLED_FROM = "distilled_from"
"""Key of a version's metrics: the version that it imitates."""
CUTS = "cuts"
"""Key of a version's metrics: its cuts that were measured."""
Kind = Literal["trained", "projection", "distilled", "foreign"]


@dataclass(frozen=True)
class Version:
    """A published version. `contract` is the identity of its embeddings (`hf1-...`).

    Attributes:
        run: the run that made it; of a foreign version the name under which it was adopted.
        kind: `trained`, `distilled` or a `projection`, here; `foreign`: a model that Holdfast did not make.
        takes: what it embeds: `image`, `text`, both or nothing.
        base: of a projection the version whose vectors it maps, and in whose space its entries stay.
        retired_at: when it was taken out of use, and its files with it.
    """

    name: str
    number: int
    parent: str | None
    run: str
    task: int
    contract: str
    dimension: int
    experiment: str
    data_fingerprint: str
    metrics: dict[str, Any]
    created_at: datetime
    attempt: int = 1
    contract_body: dict[str, Any] = field(default_factory=dict)
    artifacts: str = ""
    files: dict[str, str] = field(default_factory=dict)
    kind: Kind = "trained"
    takes: list[str] = field(default_factory=lambda: ["image"])
    base: str | None = None
    retired_at: datetime | None = None

    @property
    def space(self) -> str:
        """The version in whose space entries for it are written: itself, or its base."""
        return self.base or self.name

    @property
    def has_network(self) -> bool:
        """Whether its network was learned here, and another can start from it."""
        return self.kind in ("trained", "distilled")

    @property
    def distilled_from(self) -> str | None:
        """The version that it imitates, if it was distilled and not learned."""
        return self.metrics.get(DISTILLED_FROM)

    @property
    def cuts(self) -> "Sequence[Cut]":
        """To how many dimensions its vectors were cut and measured, largest first."""
        return [Cut(**row) for row in self.metrics.get(CUTS, ())]


@dataclass(frozen=True)
class Draft:
    """What a task hands in to be published.

    Args:
        run, attempt, task: who made it; publishing the same three again is the same publication.
        parent: name of the version that it learned from, None for a root.
        model_folder: what `holdfast.models.load_model` reads.
        experiment: text of the experiment file, as it was run.
        files: further files to keep beside the encoder, by name.
        base: name of the version whose vectors it maps.
    """

    run: str
    attempt: int
    task: int
    parent: str | None
    model_folder: Path
    experiment: str
    data_fingerprint: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    kind: Kind = "trained"
    base: str | None = None


@dataclass(frozen=True)
class Stored:
    """Artifacts that are on the disk and wait for their row."""

    contract: str
    contract_body: dict[str, Any]
    dimension: int
    folder: str
    files: dict[str, str]
    takes: list[str]


class Versions:
    """The published versions of a store."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self._engine, self._artifacts = engine, artifacts

    def list(self) -> list[Version]:
        """All versions but those that were retired, oldest first."""
        in_use = select(versions).where(versions.c.retired_at.is_(None)).order_by(versions.c.number)
        with reading(self._engine) as connection:
            return [version_of(row) for row in connection.execute(in_use)]

    def get(self, name: str) -> Version:
        """A version by its name (`v3`), by an alias (`live`, `canary`, `writing`, `previous`), or by the name
        under which it was adopted.

        Raises NotFoundError that lists what there is.
        """
        with reading(self._engine) as connection:
            return find_named(connection, name)

    def load(self, name: str) -> "Model":
        """What embeds for a version.

        Raises NotFoundError, StoreError if it is damaged, and UnsoundError for weights that are not finite.
        """
        from holdfast.models import ProjectedModel, Projection, find_weights_flaw, load_model

        version = self.get(name)
        model = load_model(self._artifacts.folder(version.artifacts, version.files))
        if isinstance(model, Projection) and version.base is not None:
            model = ProjectedModel(self.load(version.base), model)
        found = model.contract().id
        if found != version.contract:
            raise StoreError(
                f"The files of {version.name} make {found}, but {version.contract} was published: "
                "restore the artifacts from a backup."
            )
        flaw = find_weights_flaw(model)
        if flaw is not None:
            raise UnsoundError(f"{version.name} is of no use, {flaw}: take another version.")
        return model

    def model_folder(self, name: str) -> Path:
        """The folder of a version's files on this machine. Raises NotFoundError, and StoreError for files
        that are not intact."""
        version = self.get(name)
        self.load(name)
        return self._artifacts.folder(version.artifacts, version.files)

    def load_encoder(self, name: str) -> "Encoder":
        """The network of a version that was learned here, in eval mode.

        Raises ConfigError for a version that has none, and what `load` raises.
        """
        from holdfast.models import Encoder

        model = self.load(name)
        if not isinstance(model, Encoder):
            version = self.get(name)
            what = "a foreign model" if version.base is None else f"a projection over {version.base}"
            raise ConfigError(f"{version.name} is {what}: name a version that was trained here.")
        return model

    def file(self, name: str, file: str) -> bytes:
        """One of the files that were published with a version. Raises NotFoundError."""
        version = self.get(name)
        if file not in version.files:
            raise NotFoundError(f"{version.name} has no file {file!r}: it has {', '.join(version.files)}.")
        return self._artifacts.read(f"{version.artifacts}/{file}")

    def publish(self, draft: Draft) -> Version:
        """Publish a version: its files first, then one transaction that makes it visible.

        A crash in between leaves no version, and the retry succeeds. Publishing the same run, attempt and
        task again with the same weights returns the version there is.

        Raises:
            ConflictError: that task published other weights before.
            NotFoundError: the parent does not exist.
            UnsoundError: weights that are not finite, or embeddings not finite or not of unit norm.
        """
        with reading(self._engine) as connection:
            for name in (draft.parent, draft.base):
                if name is not None:
                    find_version(connection, name)
        stored = store_artifacts(self._artifacts, draft)
        if draft.base is not None:
            stored = replace(stored, takes=self.get(draft.base).takes)
        with writing(self._engine) as connection:
            return insert_version(connection, draft, stored)

    def retire(self, name: str) -> Version:
        """Take a version out of use for good, and remove its files. Raises what `retire_version` raises."""
        from holdfast.store.retiring import retire_version

        return retire_version(self._engine, self._artifacts, name)

    def note_cuts(self, name: str, cuts: Sequence[Cut]) -> None:
        """Keep what was measured of a version's cuts, in place of what was before. Raises NotFoundError."""
        with writing(self._engine) as connection:
            lock_counter(connection, "versions")
            version = find_version(connection, name)
            metrics = {**version.metrics, CUTS: [asdict(cut) for cut in cuts]}
            connection.execute(
                update(versions).where(versions.c.name == name).values(metrics=_finite(metrics))
            )


def find_version(connection: Connection, name: str) -> Version:
    """Raises NotFoundError that lists what there is, also for one that was retired."""
    row = connection.execute(select(versions).where(versions.c.name == name)).first()
    if row is None or row.retired_at is not None:
        raise unknown_version(connection, name, None if row is None else row.retired_at)
    return version_of(row)


def find_named(connection: Connection, name: str) -> Version:
    """A version by its name or by an alias. Raises NotFoundError that lists what there is."""
    if not NAME.fullmatch(name):
        name = aliases(connection).get(name) or _adopted_as(connection, name) or name
    return find_version(connection, name)


def _adopted_as(connection: Connection, name: str) -> str | None:
    of_that_name = (versions.c.kind == "foreign") & (versions.c.run == name) & versions.c.retired_at.is_(None)
    return connection.execute(select(versions.c.name).where(of_that_name)).scalar()


def unknown_version(connection: Connection, name: str, retired_at: datetime | None = None) -> NotFoundError:
    in_use = select(versions.c.name).where(versions.c.retired_at.is_(None)).order_by(versions.c.number)
    names = list(connection.execute(in_use).scalars())
    if len(names) > 12:
        names = [*names[:3], "...", *names[-8:]]
    what = f"There is no version {name!r}" if retired_at is None else f"{name} was retired on {retired_at:%F}"
    return NotFoundError(f"{what}: the store holds {', '.join(names) or 'no versions yet'}.")


def find_publication(connection: Connection, draft: Draft, contract: str) -> Version | None:
    """What this run, attempt and task published before. Raises ConflictError if it was something else."""
    row = connection.execute(
        select(versions).where(
            versions.c.run == draft.run,
            versions.c.attempt == draft.attempt,
            versions.c.task == draft.task,
        )
    ).first()
    if row is None:
        return None
    if row.retired_at is not None:
        raise ConflictError(
            f"Task {draft.task} of run {draft.run!r} (attempt {draft.attempt}) published {row.name}, which "
            "was retired: start the run afresh for a version of another name."
        )
    if row.contract != contract:
        raise ConflictError(
            f"Task {draft.task} of run {draft.run!r} (attempt {draft.attempt}) published {row.name} with "
            f"other weights ({row.contract}, now {contract}): a published version never changes. "
            "Start the run afresh."
        )
    return version_of(row)


def store_artifacts(artifacts: Artifacts, draft: Draft) -> Stored:
    """Write the draft's files, under a name made from their contents.

    A crash leaves files that nobody refers to, and the retry finds and uses them. Raises UnsoundError before
    anything is written: whoever publishes, and whatever was checked before, passes here.
    """
    from holdfast.models import find_flaw, load_model

    model = load_model(draft.model_folder)
    flaw = find_flaw(model)
    if flaw is not None:
        raise UnsoundError(
            f"What task {draft.task + 1} of run {draft.run!r} made is no version, {flaw}: nothing was "
            "published."
        )
    contract = model.contract()
    paths = {path.name: path for path in sorted(draft.model_folder.iterdir()) if path.is_file()}
    for name, path in draft.files.items():
        if name in paths or "/" in name or name.startswith("."):
            raise ConflictError(f"A file beside a model cannot be called {name!r}: choose another name.")
        paths[name] = path
    contents = {name: path.read_bytes() for name, path in paths.items()}
    files = {name: sha256(data) for name, data in contents.items()}
    listing = "\n".join(f"{name} {digest}" for name, digest in sorted(files.items()))
    folder = f"versions/{sha256(listing.encode())[:32]}"
    for name, data in contents.items():
        artifacts.put(f"{folder}/{name}", data)
    body = contract.model_dump(mode="json")
    return Stored(contract.id, body, contract.dimension, folder, files, sorted(model.takes))


def insert_version(connection: Connection, draft: Draft, stored: Stored) -> Version:
    """Allot the next number and add the row. The caller's transaction makes both visible at once."""
    before = find_publication(connection, draft, stored.contract)
    if before is not None:
        return before
    # On PostgreSQL another publisher of the same task may commit while we wait for the counter.
    lock_counter(connection, "versions")
    before = find_publication(connection, draft, stored.contract)
    if before is not None:
        return before
    if draft.parent is not None:
        find_version(connection, draft.parent)
    number = advance_counter(connection, "versions")
    connection.execute(
        insert(versions).values(
            number=number,
            name=f"v{number}",
            parent=draft.parent,
            run=draft.run,
            attempt=draft.attempt,
            task=draft.task,
            contract=stored.contract,
            contract_body=stored.contract_body,
            dimension=stored.dimension,
            experiment=draft.experiment,
            data_fingerprint=draft.data_fingerprint,
            metrics=_finite(draft.metrics),
            artifacts=stored.folder,
            files=stored.files,
            created_at=datetime.now(UTC),
            kind=draft.kind,
            takes=stored.takes,
            base=draft.base,
        )
    )
    return find_version(connection, f"v{number}")


def version_of(row: Row[Any]) -> Version:
    return Version(**row._mapping)


def _finite(value: Any) -> Any:
    # JSON has no NaN, and PostgreSQL refuses it.
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
