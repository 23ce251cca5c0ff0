from .adapter import Adapter, unit_rows
from .belonging import belong, held_out, wrong_pairs
from .config import AnyAdapterConfig
from .evidence import Evidence
from .fitting import Pairs, carried, fit_from_pairs
from .kernel import KernelAdapter, KernelRidgeConfig
from .lambda_orthogonal import LambdaOrthogonalConfig
from .linear import LinearAdapter
from .loading import load_adapter
from .low_rank import LowRankAffineConfig
from .meeting import AS_THEY_ARE, Meeting
from .procrustes import ProcrustesConfig
from .residual_mlp import ResidualMLPAdapter, ResidualMLPConfig
from .ridge import RidgeConfig
from .settings import AdapterConfig, Maps
from .tensors import take
from .vectors import check_pairs, check_vectors

__all__ = [
    "AS_THEY_ARE",
    "Adapter",
    "AdapterConfig",
    "AnyAdapterConfig",
    "Evidence",
    "KernelAdapter",
    "KernelRidgeConfig",
    "LambdaOrthogonalConfig",
    "LinearAdapter",
    "LowRankAffineConfig",
    "Maps",
    "Meeting",
    "Pairs",
    "ProcrustesConfig",
    "ResidualMLPAdapter",
    "ResidualMLPConfig",
    "RidgeConfig",
    "belong",
    "carried",
    "check_pairs",
    "check_vectors",
    "fit_from_pairs",
    "held_out",
    "load_adapter",
    "take",
    "unit_rows",
    "wrong_pairs",
]
