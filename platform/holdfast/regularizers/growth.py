"""Weights that follow how much was learned before: the more there is to keep, the more keeping it counts."""

from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field

Growth = Annotated[float, Field(ge=0, le=2)]


@runtime_checkable
class Grows(Protocol):
    """The config of a regularizer whose weight is weight * r ** growth.

    r is the number of images that the lineage learned before, over those of the task: n after n tasks of one
    size, and below 1 where a task is larger than all before it. The root of the same ratio of classes scales
    the distillation of LUCIR (Hou et al. 2019) and CL2R.
    """

    weight: float
    growth: float


def weight_at(config: object, weight: float, known: float) -> float:
    """The weight of a term in a task before which `known` times its images were learned."""
    return weight * known**config.growth if isinstance(config, Grows) else weight
