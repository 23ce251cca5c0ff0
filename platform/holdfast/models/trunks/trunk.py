"""What every network below the embedding is."""

from typing import Self

from torch import nn


class Trunk(nn.Module):
    """A network that says how many `features` it returns.

    Attributes:
        as_it_embeds: it stays in evaluation mode while it learns.
    """

    features: int
    as_it_embeds = False

    def train(self, mode: bool = True) -> Self:
        return super().train(mode and not self.as_it_embeds)
