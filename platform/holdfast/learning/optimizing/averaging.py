"""Averaging the weights along the training of a task."""

import torch
from torch import Tensor, nn

State = dict[str, Tensor]


class Average:
    """Exponential moving average of a module's weights and of its normalization's statistics.

    a <- d a + (1 - d) w after every step, with d = min(decay, (1 + step) / (10 + step)), so that the first
    steps do not weigh for ever. An average lies between the parent and where the last steps jumped to: it
    generalizes better, and it is nearer to the parent's function.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: State = {name: value.clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averaged, current = [], []
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                averaged.append(self.weights[name])
                current.append(value)
            else:
                self.weights[name].copy_(value)
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def load(self, weights: State) -> None:
        """Take over the `weights` of another average of the same module."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
