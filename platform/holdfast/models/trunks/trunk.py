"""What every network below the embedding is."""

from torch import nn


class Trunk(nn.Module):
    """A network that says how many `features` it returns."""

    features: int
