from .space import apply_values, check_space, is_whole, starting_point
from .tune import tune_experiment

__all__ = ["apply_values", "check_space", "is_whole", "starting_point", "tune_experiment"]
