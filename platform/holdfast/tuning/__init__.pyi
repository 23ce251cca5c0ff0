from .config import TuningConfig
from .front import FIGURES, best_first, dominates, hypervolume, mark_front
from .importance import importances
from .page import TUNE_PAGE, render_sweep
from .population import moved, take_over
from .proposing import propose
from .record import Point, Sweep, Trial, across, digest
from .space import Choice, LogUniform, Range, Uniform, named
from .stopping import falls_behind

__all__ = [
    "FIGURES",
    "TUNE_PAGE",
    "Choice",
    "LogUniform",
    "Point",
    "Range",
    "Sweep",
    "Trial",
    "TuningConfig",
    "Uniform",
    "across",
    "best_first",
    "digest",
    "dominates",
    "falls_behind",
    "hypervolume",
    "importances",
    "mark_front",
    "moved",
    "named",
    "propose",
    "render_sweep",
    "take_over",
]
