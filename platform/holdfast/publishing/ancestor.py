"""The version that a sequence starts from, and those before it: which one it is, and whether it is sound."""

import json
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import safetensors.torch

from holdfast.base import ConfigError, StoreError, UnsoundError
from holdfast.learning import Ancestor
from holdfast.models import (
    Learnable,
    Model,
    ProjectedModel,
    Projection,
    VersionTrunkConfig,
    find_flaw,
)
from holdfast.regularizers import Classifier
from holdfast.store import Run, Store, Version

HEAD = "head.safetensors"
CLASSES = "classes.json"
KEPT = "kept.safetensors"
LINEAGE_IMAGES = "lineage_images"


def choose_parent(store: Store, parent: str, base: VersionTrunkConfig | None = None) -> str | None:
    """The name of the version that an experiment's `parent` stands for.

    A projection over `base` goes on from another one, or else from the base itself, whatever it is.

    Raises NotFoundError; ConfigError for a parent that is no projection over the base.
    """
    if base is not None:
        return _choose_projection(store, parent, base)
    if parent == "none":
        return None
    return latest_learned(store) if parent == "latest" else store.versions.get(parent).name


def _choose_projection(store: Store, parent: str, base: VersionTrunkConfig) -> str:
    itself = store.versions.get(base.name).name
    over = [version.name for version in store.versions.list() if version.base == itself]
    if parent in ("none", "latest"):
        return over[-1] if over and parent == "latest" else itself
    chosen = store.versions.get(parent).name
    if chosen not in (*over, itself):
        raise ConfigError(
            f"parent: {chosen} is no projection over {itself}, from which one could go on: take "
            f"{', '.join((*over, itself))}, or 'latest'."
        )
    return chosen


def latest_learned(store: Store) -> str | None:
    """The newest version that was trained: small encoders and foreign models are nobody's parent by
    themselves."""
    learned = [version.name for version in store.versions.list() if version.kind == "trained"]
    return learned[-1] if learned else None


def load_ancestor(
    store: Store,
    name: str,
    vectors: Callable[[str], np.ndarray],
    base: VersionTrunkConfig | None = None,
) -> Ancestor:
    """A published version with the classifier that it was trained with; as what maps vectors of `base`, if
    these are what is learned over. One whose network was not learned here is known by its vectors.

    Args:
        vectors: gives what such a version makes of all training images, float32 (n, d).

    Raises:
        NotFoundError: there is no such version.
        UnsoundError: nothing can start from it; says from what else.
    """
    version = store.versions.get(name)
    try:
        if base is None and not version.has_network:
            load_sound(store, version.name)
            return Ancestor(version.name, None, vectors=vectors(version.name))
        learned = (
            _sound(name, store.versions.load_encoder(name))
            if base is None
            else _sound(name, load_map(store, name, base))
        )
    except StoreError as error:
        other = _newest_sound(store, name)
        way = f"'parent: {other}', or 'parent: none'" if other else "'parent: none'"
        raise UnsoundError(f"{error} To start from another version set {way}, with --fresh.") from error
    classifier = None
    if HEAD in version.files:
        directions = safetensors.torch.load(store.versions.file(name, HEAD))["directions"]
        if directions.isfinite().all():
            classifier = Classifier(directions, tuple(json.loads(store.versions.file(name, CLASSES))))
    kept = safetensors.torch.load(store.versions.file(name, KEPT)) if KEPT in version.files else {}
    images = version.metrics.get(LINEAGE_IMAGES)
    return Ancestor(version.name, learned.requires_grad_(False), classifier, images, kept=kept)


def load_sound(store: Store, name: str) -> Model:
    """The model of a version.

    Raises UnsoundError, StoreError if it is damaged, NotFoundError.
    """
    return _sound(name, store.versions.load(name))


def load_map(store: Store, name: str, base: VersionTrunkConfig) -> Projection:
    """What maps vectors of `base` to those of a version: the identity for itself, else its projection.

    Raises ConfigError for a version that is neither, and what `Versions.load` raises.
    """
    version = store.versions.get(name)
    if version.contract == base.contract:
        return Projection.identity(base)
    model = store.versions.load(name)
    if not isinstance(model, ProjectedModel) or model.projection.base != base.contract:
        raise ConfigError(f"{name} is no projection over {base.name}: its vectors are not a map of those.")
    return model.projection


def lineage(store: Store, newest: str) -> list[Version]:
    """The versions from the first ancestor that was not retired to `newest`."""
    known = {version.name: version for version in store.versions.list()}
    chain = [store.versions.get(newest)]
    while (parent := known.get(chain[-1].parent or "")) is not None:
        chain.append(parent)
    return chain[::-1]


def published_by(store: Store, run: Run) -> list[Version]:
    """The versions of the run's newest attempt, oldest first."""
    return [v for v in store.versions.list() if (v.run, v.attempt) == (run.name, run.attempt)]


def find_unusable(store: Store, versions: Sequence[Version]) -> dict[str, str]:
    """Why which of the versions can meet no other: their files are gone or damaged, or they are unsound."""
    reasons = {}
    for version in versions:
        try:
            _sound(version.name, store.versions.load(version.name))
        except StoreError as error:
            reasons[version.name] = str(error)
    return reasons


def warn_of_unusable(reasons: dict[str, str]) -> None:
    """Name the ancestors that are left out, for the user."""
    for name, reason in reasons.items():
        warnings.warn(f"{name} is left out of adapters, measurements and the report. {reason}", stacklevel=2)


def _newest_sound(store: Store, but: str) -> str | None:
    for version in reversed(store.versions.list()):
        if version.name != but and version.kind == "trained" and not find_unusable(store, [version]):
            return version.name
    return None


Sound = TypeVar("Sound", bound=Model | Learnable)


def _sound(name: str, model: Sound) -> Sound:
    """Raises UnsoundError."""
    flaw = find_flaw(model)
    if flaw is not None:
        raise UnsoundError(f"{name} is of no use, {flaw}: take another version.")
    return model
