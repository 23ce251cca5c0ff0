"""The configs of all adapters, told apart by their `kind`."""

from typing import Annotated

from pydantic import Field

from holdfast.adapters.lambda_orthogonal import LambdaOrthogonalConfig
from holdfast.adapters.low_rank import LowRankAffineConfig
from holdfast.adapters.procrustes import ProcrustesConfig
from holdfast.adapters.residual_mlp import ResidualMLPConfig
from holdfast.adapters.ridge import RidgeConfig

AdapterConfig = Annotated[
    ProcrustesConfig | RidgeConfig | LowRankAffineConfig | ResidualMLPConfig | LambdaOrthogonalConfig,
    Field(discriminator="kind"),
]
