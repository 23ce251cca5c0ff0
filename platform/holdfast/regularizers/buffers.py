"""Buffers whose shape differs from task to task, in checkpoints."""

from collections.abc import Mapping

from torch import Tensor, nn


def take_saved_shapes(module: nn.Module, state: Mapping[str, Tensor], prefix: str) -> None:
    """Give each of the module's own buffers the shape that it has in `state`, so that loading it fits.

    To be called from `_load_from_state_dict`, before the inherited one. A buffer that `state` lacks stays as
    it is, and is reported as missing by the loading itself.
    """
    for name, buffer in list(module.named_buffers(recurse=False)):
        if prefix + name in state:
            setattr(module, name, buffer.new_empty(state[prefix + name].shape))
