"""Maps from one version's space to another's, fitted after training on images that both embedded."""

from holdfast.adapters.adapter import Adapter
from holdfast.adapters.calibration import Calibration, calibrate
from holdfast.adapters.composition import ComposedAdapter, compose
from holdfast.adapters.config import AdapterConfig
from holdfast.adapters.evidence import Evidence
from holdfast.adapters.fitting import Pairs, carried, fit_from_pairs
from holdfast.adapters.lambda_orthogonal import LambdaOrthogonalConfig
from holdfast.adapters.linear import LinearAdapter
from holdfast.adapters.loading import load_adapter
from holdfast.adapters.low_rank import LowRankAffineConfig
from holdfast.adapters.procrustes import ProcrustesConfig
from holdfast.adapters.residual_mlp import ResidualMLPAdapter, ResidualMLPConfig
from holdfast.adapters.ridge import RidgeConfig
from holdfast.adapters.settings import Maps
from holdfast.adapters.slerp import fit_alpha, slerp

__all__ = [
    "Adapter",
    "AdapterConfig",
    "Calibration",
    "ComposedAdapter",
    "Evidence",
    "LambdaOrthogonalConfig",
    "LinearAdapter",
    "LowRankAffineConfig",
    "Maps",
    "Pairs",
    "ProcrustesConfig",
    "ResidualMLPAdapter",
    "ResidualMLPConfig",
    "RidgeConfig",
    "calibrate",
    "carried",
    "compose",
    "fit_alpha",
    "fit_from_pairs",
    "load_adapter",
    "slerp",
]
