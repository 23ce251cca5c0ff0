"""How much each key of a space decides."""

from collections.abc import Sequence

import optuna

from holdfast.tuning.config import TuningConfig
from holdfast.tuning.proposing import IsWhole, study_of
from holdfast.tuning.record import Trial

_FEWEST = 8
"""Whole trials below which nothing is said."""


def importances(config: TuningConfig, trials: Sequence[Trial], whole: IsWhole) -> dict[str, float]:
    """Share of each key in what separates the better quarter of the trials from the others, most first (PED-
    ANOVA, Watanabe 2023); they add up to 1. Empty for few trials, or where all are alike."""
    done = [trial for trial in trials if trial.state == "done"]
    keys = [key for key, where in config.space.items() if not where.when]
    if len(done) < _FEWEST or not keys:
        return {}
    study = study_of(config.model_copy(update={"objective": "mean"}), done, 0, whole)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    try:
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=keys)
    except (ValueError, RuntimeError):
        return {}
    return {key: float(share) for key, share in found.items()}
