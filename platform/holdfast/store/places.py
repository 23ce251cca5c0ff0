"""Where the parts of a store lie: its database, its files, its runs, its caches.

Nothing here depends on the current folder but what the user names relative to it, and that is pinned down at
once.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, make_url, select
from sqlalchemy.exc import ArgumentError

from holdfast.base import StoreError, cache_folder, hide_in_url
from holdfast.store.artifacts import Artifacts
from holdfast.store.database import reading, versions
from holdfast.store.identity import Identity, record_artifacts, recorded

DATABASE = "holdfast.db"
VARIABLE = "HOLDFAST_ARTIFACTS"


@dataclass(frozen=True)
class Places:
    """Folders of a store.

    Attributes:
        runs: reports and checkpoints, a folder for each run.
        remote_runs: where the truth of them is, if that is no folder of this machine.
        index: a cache.
    """

    runs: Path
    remote_runs: Artifacts | None
    index: Path


def places(file: Path | None, identity: str, artifacts: Artifacts) -> Places:
    """A store in a folder has all in it. What belongs to any other database lies with its artifacts, by the
    database's identity, since several may share them.

    Args:
        file: of SQLite, None for a server.
        identity: of the database.
    """
    if file is not None and file.name == DATABASE:
        return Places(file.parent / "runs", None, file.parent / "index")
    runs = artifacts.below(f"stores/{identity}/runs")
    index = cache_folder() / "index" / identity
    if runs.root is not None:
        return Places(runs.root, None, index)
    return Places(cache_folder() / "stores" / identity / "runs", runs, index)


def pin_down(where: str | Path) -> str:
    """What `open_store` takes, meaning the same in any folder."""
    text = str(where)
    if "://" not in text:
        return str(Path(text).absolute())
    file = sqlite_file(text)
    if file is None:
        return text
    return make_url(text).set(database=str(file)).render_as_string(hide_password=False)


def sqlite_file(where: str) -> Path | None:
    """The database's file, None for a database server (and for what is no store at all)."""
    if "://" not in where:
        return Path(where).absolute() / DATABASE
    if not where.startswith("sqlite"):
        return None
    try:
        database = make_url(where).database
    except (ArgumentError, ValueError):
        return None
    return Path(database).absolute() if database and database != ":memory:" else None


def chosen_artifacts(engine: Engine, file: Path | None, given: str | None) -> str | None:
    """Where the user says that the files are; None for where they lie by themselves.

    The variable is for databases that have no folder. Asked before the tables are made, so that a database
    whose files have no place stays empty. Raises StoreError there.
    """
    if given or file is not None:
        return given or None
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    shown = hide_in_url(engine.url.render_as_string())
    needs = (
        f"The store {shown} needs a place for its files: give --artifacts, or set {VARIABLE}, to a folder or "
        "a pyarrow file system URI."
    )
    try:
        known = recorded(engine)
    except StoreError as error:
        raise StoreError(f"{needs} If it has one already, it cannot be asked: {error}") from error
    if known is None or known.artifacts is None:
        raise StoreError(needs)
    return None


def settle_artifacts(engine: Engine, known: Identity, file: Path | None, given: str | None) -> Artifacts:
    """The artifacts, and their place recorded for whoever names none.

    Raises StoreError if they are to be in another place than they were, and none of the published versions'
    files is there.
    """
    default = None if file is None else str(file.parent / "artifacts")
    before = known.artifacts or default
    found = Artifacts(given or before or "")
    if found.where == before:
        return found
    lacking = _none_of(engine, found)
    if lacking is not None:
        shown = hide_in_url(engine.url.render_as_string())
        advice = "Name the place where they are."
        if before is not None:
            advice = f"They are in {before}: leave --artifacts and {VARIABLE} out, or copy them first."
        raise StoreError(f"{found.where} holds no file of {lacking}, a version of {shown}. {advice}")
    record_artifacts(engine, None if found.where == default else found.where)
    return found


def _none_of(engine: Engine, artifacts: Artifacts) -> str | None:
    """The newest version if the files of none are there."""
    with reading(engine) as connection:
        rows = connection.execute(
            select(versions.c.name, versions.c.artifacts, versions.c.files).order_by(versions.c.number.desc())
        ).all()
    for row in rows:
        if any(artifacts.exists(f"{row.artifacts}/{file}") for file in row.files):
            return None
    return rows[0].name if rows else None
