"""On which device a model runs."""

import torch
from torch import nn

from holdfast.models.foreign import FileModel
from holdfast.models.model import Model
from holdfast.models.projections import ProjectedModel


def move_to(model: Model, device: torch.device) -> bool:
    """Have a model embed on a device from now on. Its vectors differ from those of before by rounding.

    Returns whether it does: what runs by ONNX, is a program of torch.export, or answers from elsewhere stays
    where it was.
    """
    if isinstance(model, nn.Module):
        model.to(device)
        return True
    if isinstance(model, ProjectedModel):
        model.projection.to(device)
        return move_to(model.base, device)
    return isinstance(model, FileModel) and model.move(device)
