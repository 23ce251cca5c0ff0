"""The version over whose vectors a projection is learned: found, and held to its contract, before the run."""

from holdfast.base import ConfigError
from holdfast.config import Experiment
from holdfast.models import Model
from holdfast.store import Store


def with_base(store: Store, experiment: Experiment) -> Experiment:
    """The experiment with what `model.trunk` names filled in; as it is where it learns from images.

    The vectors of a projection are those of its base. Unless the experiment says something else, a
    projection is as wide as its base.

    Raises:
        NotFoundError: there is no such version.
        ConfigError: the version is another one than the experiment was made with, embeds no images although
            these are what the experiment reads, or the experiment asks for what vectors cannot do.
        ChangedModelError, EndpointError: the endpoint of the base is another model now, or is away.
    """
    wanted = experiment.model.base
    if wanted is None:
        return experiment
    version = store.versions.get(wanted.name)
    version = version if version.base is None else store.versions.get(version.base)
    if wanted.contract not in (None, version.contract):
        raise ConfigError(
            f"model.trunk: {version.name} is {version.contract} in this store, and the experiment was made "
            f"with {wanted.contract}: name the version that has it, or take contract and dimension out."
        )
    _require_vectors_can(experiment, version.name)
    store.versions.load(version.name).check()
    trunk = wanted.model_copy(
        update={"name": version.name, "contract": version.contract, "dimension": version.dimension}
    )
    values = experiment.model.model_dump(mode="json") | {"trunk": trunk.model_dump(mode="json")}
    if "dimension" not in experiment.model.model_fields_set:
        values["dimension"] = version.dimension
    return experiment.model_copy(update={"model": type(experiment.model).model_validate(values)})


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
