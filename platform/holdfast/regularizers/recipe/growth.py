"""Weights that follow how much was learned before: the more there is to keep, the more keeping it counts."""

from typing import Annotated

from pydantic import Field

from holdfast.regularizers.regularizer import RegularizerConfig

Growth = Annotated[float, Field(ge=0, le=2)]


class GrowingConfig(RegularizerConfig):
    """Base of the configs whose weight is weight * r ** growth.

    r is the number of images that the lineage learned before, over those of the task: n after n tasks of one
    size, and below 1 where a task is larger than all before it. The root of the same ratio of classes scales
    the distillation of LUCIR (Hou et al. 2019) and CL2R.
    """

    growth: Growth = 0.0

    def weight_at(self, known: float) -> float:
        return float(self.weight * known**self.growth)
