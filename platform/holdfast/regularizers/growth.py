"""Weights that follow the number of versions before: the more was learned, the more there is to keep."""

from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

Growth = Annotated[float, Field(ge=0, le=2)]


@runtime_checkable
class Grows(Protocol):
    """The config of a regularizer whose weight after n versions is weight * n ** growth.

    With tasks of one size n is the number of old classes over that of new ones, whose root scales the
    distillation of LUCIR (Hou et al. 2019) and CL2R.
    """

    weight: float
    growth: float


def weight_after(config: object, weight: float, versions: int) -> float:
    """The weight of a term in the task that follows so many versions (1 for the second task of a lineage)."""
    return weight * versions**config.growth if isinstance(config, Grows) else weight
