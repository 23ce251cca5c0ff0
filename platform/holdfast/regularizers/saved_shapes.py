"""Modules whose parameters and buffers change their shape from task to task, in checkpoints."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class SavedShapes(nn.Module):
    """A module that takes whatever shape its own parameters and buffers have in the state that it loads, and
    its buffers whatever type.

    What the state lacks stays as it is, and is reported as missing by the loading itself.
    """

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: object) -> None:
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name], device=buffer.device))
        for name, parameter in list(self.named_parameters(recurse=False)):
            if prefix + name in state:
                setattr(self, name, nn.Parameter(parameter.new_empty(state[prefix + name].shape)))
        super()._load_from_state_dict(state, prefix, *rest)
