"""Which head an experiment may name."""

from typing import Annotated

from pydantic import Field

from holdfast.models.heads import ArcFaceConfig, CosFaceConfig, NormalizedSoftmaxConfig, SimplexConfig
from holdfast.models.opqn import OPQNConfig

HeadConfig = Annotated[
    NormalizedSoftmaxConfig | CosFaceConfig | ArcFaceConfig | SimplexConfig | OPQNConfig,
    Field(discriminator="kind"),
]
