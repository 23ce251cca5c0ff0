from .adapter import Adapter
from .calibration import Calibration, calibrate
from .composition import ComposedAdapter, compose
from .config import AdapterConfig
from .evidence import Evidence
from .fitting import Pairs, carried, fit_from_pairs
from .lambda_orthogonal import LambdaOrthogonalConfig
from .linear import LinearAdapter
from .loading import load_adapter
from .low_rank import LowRankAffineConfig
from .procrustes import ProcrustesConfig
from .residual_mlp import ResidualMLPAdapter, ResidualMLPConfig
from .ridge import RidgeConfig
from .settings import Maps
from .slerping import fit_alpha, slerp

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
