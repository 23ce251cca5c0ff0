"""Which adapter an experiment may name."""

from typing import Annotated

from holdfast.adapters.kernel import KernelRidgeConfig
from holdfast.adapters.lambda_orthogonal import LambdaOrthogonalConfig
from holdfast.adapters.low_rank import LowRankAffineConfig
from holdfast.adapters.procrustes import ProcrustesConfig
from holdfast.adapters.residual_mlp import ResidualMLPConfig
from holdfast.adapters.ridge import RidgeConfig
from holdfast.adapters.settings import AdapterConfig
from holdfast.base import Kinds

AnyAdapterConfig = Annotated[
    AdapterConfig,
    Kinds(
        ProcrustesConfig,
        RidgeConfig,
        LowRankAffineConfig,
        ResidualMLPConfig,
        LambdaOrthogonalConfig,
        KernelRidgeConfig,
    ),
]
"""A built-in adapter, or one of another package."""
