"""The device that a process of ours learns on."""

import torch

from holdfast.base import ResourcesError


def device_here(gpu: bool) -> torch.device:
    """Raises ResourcesError where a GPU is asked for and there is none."""
    if gpu and not torch.cuda.is_available():
        raise ResourcesError(
            "scaling.gpu is true and PyTorch finds no GPU here: set it to false, or mend the driver."
        )
    return torch.device("cuda" if gpu else "cpu")
