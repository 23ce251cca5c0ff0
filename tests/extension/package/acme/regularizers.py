from pydantic import Field
from torch import Tensor

from holdfast.regularizers import Regularizer, RegularizerConfig, Step


class Pull(Regularizer):
    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power

    def forward(self, step: Step) -> Tensor:
        return (step.embeddings - step.parent_embeddings).abs().pow(self.power).mean()


class PullConfig(RegularizerConfig):
    """Towards the parent's embeddings."""

    power: int = Field(2, ge=1)

    def build(self) -> Pull:
        return Pull(self.power)
