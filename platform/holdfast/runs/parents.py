"""What an experiment leaves open, and the version that it starts from decides."""

from holdfast.config import Experiment
from holdfast.publishing import choose_parent
from holdfast.store import Store


def with_parent(store: Store, experiment: Experiment) -> Experiment:
    """The experiment, as wide as the version from whose vectors it is to learn, unless it says how wide.

    Raises NotFoundError: there is no such version.
    """
    model = experiment.model
    if model.base is not None or "dimension" in model.model_fields_set:
        return experiment
    name = choose_parent(store, experiment.parent)
    if name is None or store.versions.get(name).has_network:
        return experiment
    values = model.model_dump(mode="json") | {"dimension": store.versions.get(name).dimension}
    return experiment.model_copy(update={"model": type(model).model_validate(values)})
