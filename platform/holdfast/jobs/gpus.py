"""A model in a process that has a GPU, or a share of one."""

from holdfast.base import ConfigError
from holdfast.models import Model, move_to
from holdfast.runs import device_here

OPTION = "--gpus-per-worker"


def on_gpu(model: Model, version: str, gpus: float) -> Model:
    """The model, on this process's GPU where it was given any of one.

    Raises ResourcesError where PyTorch finds none, ConfigError for a model that runs on processors alone.
    """
    if gpus and not move_to(model, device_here(True, OPTION)):
        raise ConfigError(f"{version} does not run on GPUs: leave {OPTION} out.")
    return model
