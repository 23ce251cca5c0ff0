"""The device that a process of ours learns on."""

import torch

from holdfast.base import ResourcesError


def device_here(gpu: bool, asked: str = "scaling.gpu") -> torch.device:
    """Raises ResourcesError where a GPU is asked for, by what `asked` names, and there is none."""
    if gpu and not torch.cuda.is_available():
        raise ResourcesError(
            f"{asked} asks for a GPU and PyTorch finds none here: leave it out, or mend the driver."
        )
    return torch.device("cuda" if gpu else "cpu")
