"""What the terms of the steps come to. It stays on the device until somebody looks: no step waits for it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

Values = dict[str, float]
"""Of each term, unweighted."""


@dataclass
class Losses:
    """The losses of a task.

    Attributes:
        sums: over the steps of the running epoch that have been read.
        history: the mean of each epoch that is over.
    """

    sums: Values = field(default_factory=dict)
    history: list[Values] = field(default_factory=list)
    _unread: list[dict[str, Tensor]] = field(default_factory=list)

    def keep(self, values: dict[str, Tensor]) -> None:
        """Take a step's values, scalars without gradient, where they are."""
        self._unread.append(values)

    def read(self) -> list[Values]:
        """The values of the steps since the last look, in one transfer."""
        unread, self._unread = self._unread, []
        if not unread:
            return []
        # As float64, which holds every term's value exactly.
        values = [value.double() for step in unread for value in step.values()]
        flat = iter(torch.stack(values).tolist())
        steps = [{name: next(flat) for name in step} for step in unread]
        for step in steps:
            for name, value in step.items():
                self.sums[name] = self.sums.get(name, 0.0) + value
        return steps

    def close_epoch(self, steps: int) -> None:
        """An epoch of so many steps is over, and all of it was read."""
        self.history.append({name: total / steps for name, total in self.sums.items()})
        self.sums = {}
