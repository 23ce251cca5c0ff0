"""The version that a trunk names: found, and held to its contract, before the run."""

import tempfile
from pathlib import Path

from holdfast.base import ConfigError, DataError, parse_settings
from holdfast.config import Experiment
from holdfast.data import PHOTOGRAPHS, AugmentConfig, VectorSource, open_any
from holdfast.models import ContinuedTrunk, Model, unlearned_encoder
from holdfast.runs.adopt import Candidate, adopt_model
from holdfast.store import Store, Version


def with_base(store: Store, experiment: Experiment) -> Experiment:
    """The experiment with the version that `model.trunk` names filled in; as it is where it names none.

    A trunk with weights of which nothing learns becomes a version first, as if it had been adopted.

    The vectors of a projection are those of its base. Unless the experiment says something else, a
    projection is as wide as its base.

    Raises:
        NotFoundError: there is no such version.
        ConfigError: the version is another one than the experiment was made with, or the experiment asks for
            what vectors cannot do.
        DataError: the version embeds no images although these are what the experiment reads.
        ChangedModelError, EndpointError: the endpoint of the base is another model now, or is away.
    """
    experiment = _with_adopted(store, experiment)
    wanted = experiment.model.base
    if wanted is None:
        return _with_network(store, experiment)
    version = store.versions.get(wanted.name)
    version = version if version.base is None else store.versions.get(version.base)
    _require_contract(version, wanted.contract)
    _require_vectors_can(experiment, version.name)
    model = store.versions.load(version.name)
    if "image" not in model.takes and not isinstance(open_any(experiment.data.source), VectorSource):
        raise DataError(
            f"{version.name} embeds no images, and {experiment.data.source!r} holds images: give vectors of "
            f"{version.name} as data.source, vectors:FILE or gallery:{version.name}."
        )
    model.check()
    trunk = wanted.model_copy(
        update={"name": version.name, "contract": version.contract, "dimension": version.dimension}
    )
    values = experiment.model.model_dump(mode="json") | {"trunk": trunk.model_dump(mode="json")}
    if "dimension" not in experiment.model.model_fields_set:
        values["dimension"] = version.dimension
    return experiment.model_copy(update={"model": type(experiment.model).model_validate(values)})


def _with_adopted(store: Store, experiment: Experiment) -> Experiment:
    """With the version that a trunk with weights is by itself, where nothing of it learns."""
    model = experiment.model
    if model.base is not None or not model.projects:
        return experiment
    encoder = unlearned_encoder(model)
    contract = encoder.contract().id
    name = next((each.name for each in store.versions.list() if each.contract == contract), None)
    if name is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-trunk-") as folder:
            encoder.save(Path(folder))
            called = f"{experiment.name}-trunk"
            candidate = Candidate(
                called, f"{experiment.name}: model.trunk", Path(folder), contract, ("image",)
            )
            name = adopt_model(store, candidate)[0].name
    values = model.model_dump(mode="json", exclude={"preprocessing", "dimension"})
    values["trunk"] = {"kind": "version", "name": name, "train": "none"}
    if "dimension" in model.model_fields_set:
        values["dimension"] = model.dimension
    return experiment.model_copy(update={"model": type(model).model_validate(values)})


def _with_network(store: Store, experiment: Experiment) -> Experiment:
    """With the files of a version whose network goes on learning, and its preprocessing for what is left
    out."""
    wanted = experiment.model.trunk
    if not isinstance(wanted, ContinuedTrunk):
        return experiment
    version = store.versions.get(wanted.name)
    _require_contract(version, wanted.contract)
    folder = str(store.versions.model_folder(version.name))
    trunk = wanted.model_copy(update={"weights": folder, "contract": version.contract})
    values = experiment.model.model_dump(mode="json") | {"trunk": trunk.model_dump(mode="json")}
    if wanted.weights is None:
        values["preprocessing"] = experiment.model.preprocessing.model_dump(mode="json", exclude_unset=True)
    model = parse_settings(type(experiment.model), values, "model")
    learning = experiment.learning
    if model.photographic and learning.augment == AugmentConfig():
        learning = learning.model_copy(update={"augment": PHOTOGRAPHS})
    return experiment.model_copy(update={"model": model, "learning": learning})


def _require_contract(version: Version, wanted: str | None) -> None:
    if wanted not in (None, version.contract):
        raise ConfigError(
            f"model.trunk: {version.name} is {version.contract} in this store, and the experiment was made "
            f"with {wanted}: name the version that has it, or take contract and dimension out."
        )


def find_base(store: Store, experiment: Experiment) -> Model | None:
    """The model that makes the vectors that an experiment learns over; None where it learns from images."""
    base = experiment.model.base
    return None if base is None else store.versions.load(base.name)


def _require_vectors_can(experiment: Experiment, name: str) -> None:
    learning = experiment.learning
    for key, asked in (
        ("turns", learning.turns > 1),
        ("adversarial", learning.adversarial is not None),
        ("accumulate", learning.accumulate > 1),
    ):
        if asked:
            raise ConfigError(
                f"learning.{key} is about images, and a projection over {name} learns from vectors: take it "
                "out."
            )
