"""Which values a sweep tries next."""

import itertools
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna

from holdfast.tuning.config import TuningConfig
from holdfast.tuning.record import Trial
from holdfast.tuning.space import Choice, LogUniform, Range

IsWhole = Callable[[str], bool]
_STARTUP = 8  # random trials before those that were good are looked at

optuna.logging.set_verbosity(optuna.logging.ERROR)
logging.getLogger("optuna").setLevel(logging.ERROR)


def propose(
    config: TuningConfig,
    trials: Sequence[Trial],
    first: Sequence[Mapping[str, Any]],
    seed: int,
    whole: IsWhole,
) -> dict[str, Any] | None:
    """The values of the next trial; None where a grid has been tried.

    They follow from the arguments alone: a sweep that goes on proposes what it would have proposed.

    Args:
        trials: all that began, those included that still run.
        first: values to begin with, in this order.
        whole: whether a key's value is a whole number.
    """
    number = len(trials)
    if number < len(first):
        return dict(first[number])
    if config.search == "grid":
        return next((values for values in _grid(config.space, whole) if not _tried(values, trials)), None)
    study = study_of(config, trials, seed + 7919 * number, whole)
    asked = study.ask()
    values: dict[str, Any] = {}
    for key, where in config.space.items():
        if where.applies(values):
            values[key] = _suggest(asked, key, where, whole(key))
    return values


def study_of(config: TuningConfig, trials: Sequence[Trial], seed: int, whole: IsWhole) -> optuna.Study:
    """Of the trials as they stand, for one question."""
    both = config.objective == "front"
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)
    if config.search == "tpe":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=_STARTUP, multivariate=True, group=True, constant_liar=True, seed=seed
            )
    study = optuna.create_study(sampler=sampler, directions=["maximize"] * (2 if both else 1))
    for trial in trials:
        frozen = _frozen(config, trial, both, whole)
        if frozen is not None:
            study.add_trial(frozen)
    return study


def _frozen(
    config: TuningConfig, trial: Trial, both: bool, whole: IsWhole
) -> "optuna.trial.FrozenTrial | None":
    if not all(_is_within(config.space[key], value) for key, value in trial.values.items()):
        return None  # the experiment as it stands may lie outside of the space
    distributions = {key: _distribution(config.space[key], whole(key)) for key in trial.values}
    parameters = {key: _parameter(config.space[key], value) for key, value in trial.values.items()}
    state, values, steps = optuna.trial.TrialState.FAIL, None, {}
    if trial.state == "running":
        state = optuna.trial.TrialState.RUNNING
    elif trial.state == "done" and trial.last is not None:
        state = optuna.trial.TrialState.COMPLETE
        values = [trial.last.own, trial.last.cross] if both else [trial.last.objective]
    elif trial.state == "stopped" and trial.curve and not both:
        state = optuna.trial.TrialState.PRUNED
        steps = {point.tasks: point.objective for point in trial.curve}
    return optuna.trial.create_trial(
        state=state, values=values, params=parameters, distributions=distributions, intermediate_values=steps
    )


def _is_within(where: Range, value: Any) -> bool:
    if isinstance(where, Choice):
        return value in where.values
    return isinstance(value, int | float) and where.low <= value <= where.high


def _distribution(where: Range, is_whole: bool) -> optuna.distributions.BaseDistribution:
    if isinstance(where, Choice):
        return optuna.distributions.CategoricalDistribution(tuple(range(len(where.values))))
    log = isinstance(where, LogUniform)
    if is_whole:
        return optuna.distributions.IntDistribution(int(where.low), int(where.high), log=log)
    return optuna.distributions.FloatDistribution(where.low, where.high, log=log)


def _parameter(where: Range, value: Any) -> Any:
    """As Optuna has it: of a choice, whose values may be anything, the number."""
    return where.values.index(value) if isinstance(where, Choice) else value


def _suggest(asked: optuna.Trial, key: str, where: Range, is_whole: bool) -> Any:
    if isinstance(where, Choice):
        return where.values[asked.suggest_categorical(key, tuple(range(len(where.values))))]
    log = isinstance(where, LogUniform)
    if is_whole:
        return asked.suggest_int(key, int(where.low), int(where.high), log=log)
    return asked.suggest_float(key, where.low, where.high, log=log)


def _grid(space: Mapping[str, Range], whole: IsWhole) -> list[dict[str, Any]]:
    """Every combination, each once, in the order of the file."""
    columns = []
    for key, where in space.items():
        points = where.grid()
        columns.append(
            list(dict.fromkeys(round(each) for each in points)) if _rounds(where, whole(key)) else points
        )
    found: list[dict[str, Any]] = []
    for combination in itertools.product(*columns):
        values: dict[str, Any] = {}
        for (key, where), value in zip(space.items(), combination, strict=True):
            if where.applies(values):
                values[key] = value
        if values not in found:
            found.append(values)
    return found


def _rounds(where: Range, is_whole: bool) -> bool:
    return is_whole and not isinstance(where, Choice)


def _tried(values: Mapping[str, Any], trials: Sequence[Trial]) -> bool:
    return any(trial.values == values for trial in trials)
