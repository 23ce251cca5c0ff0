"""Models that others made become versions."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.base import ConfigError, ConflictError, dump_yaml
from holdfast.config import MAX_NAME, PARENTS
from holdfast.models import Modality, Wishes, adopt_files, find_flaw
from holdfast.store import NAME, Draft, Store, Version

_ALLOWED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


@dataclass(frozen=True)
class Candidate:
    """A model that was tried and found sound, and waits to be published.

    Args:
        name: under which it is adopted; model: what the user calls it.
        folder: its files, which are there for a while only.
        contract: what identifies its embeddings; takes: what it embeds.
    """

    name: str
    model: str
    folder: Path
    contract: str
    takes: tuple[Modality, ...]


@contextmanager
def try_model(name: str, model: str, wishes: Wishes) -> Iterator[Candidate]:
    """Copy the files of a model and run it, before any store is touched.

    Args:
        model: `KIND:REFERENCE`, such as `onnx:FILE`.

    Raises ConfigError for a name that means something else, an unknown kind, a file that is no such model,
    and for one whose answers are no embeddings.
    """
    _require_name(name)
    with tempfile.TemporaryDirectory(prefix="holdfast-adopt-") as folder:
        found = adopt_files(model, wishes, Path(folder))
        flaw = find_flaw(found)
        if flaw is not None:
            raise ConfigError(f"{model} is of no use, {flaw}: adopt another model.")
        yield Candidate(name, model, Path(folder), found.contract().id, tuple(sorted(found.takes)))


def adopt_model(store: Store, candidate: Candidate) -> tuple[Version, bool]:
    """Publish a model under its name; returns the version, and whether it is new.

    The same model under the same name is the version that there is. Raises ConflictError where another model
    or a run has the name.
    """
    before = _adopted_as(store, candidate.name)
    if before is not None:
        if before.contract != candidate.contract:
            raise ConflictError(
                f"{candidate.name!r} is {before.name} ({before.contract}), and {candidate.model} is another "
                f"model ({candidate.contract}): a published version never changes; adopt it under another "
                "name."
            )
        return before, False
    draft = Draft(
        run=candidate.name,
        attempt=1,
        task=0,
        parent=None,
        model_folder=candidate.folder,
        experiment=dump_yaml({"adopt": {"name": candidate.name, "model": candidate.model}}),
        data_fingerprint="",
        kind="foreign",
    )
    return store.versions.publish(draft), True


def refuse_adopted_name(store: Store, name: str) -> None:
    """Raises ConflictError where a run would have the name of an adopted version."""
    for version in store.versions.list():
        if version.run == name and version.kind == "foreign":
            raise ConflictError(
                f"{name!r} is the name under which {version.name} was adopted: give the experiment another."
            )


def _require_name(name: str) -> None:
    if not _ALLOWED.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a name: take letters, digits, dots, underscores and hyphens, "
            f"{MAX_NAME} at most, a letter or a digit first."
        )
    if NAME.fullmatch(name.lower()) or name.lower() in PARENTS:
        raise ConfigError(
            f"{name!r} means a version already, as v3 and {', '.join(PARENTS)} do: take another name."
        )


def _adopted_as(store: Store, name: str) -> Version | None:
    """The version adopted under a name. Raises ConflictError where a run has it."""
    made = [version for version in store.versions.list() if version.run == name]
    adopted = [version for version in made if version.kind == "foreign"]
    if adopted:
        return adopted[0]
    if made or any(run.name == name for run in store.runs.list()):
        raise ConflictError(f"{name!r} is a run of this store: adopt the model under another name.")
    return None
