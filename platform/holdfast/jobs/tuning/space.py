"""The space of a sweep: where its keys lead, what they may be, and what the experiment says to that."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from holdfast.base import ConfigError, HoldfastError, refuse_same_place, set_key
from holdfast.config import Experiment, parse_experiment
from holdfast.data import ImageSet, build_stream
from holdfast.learning import check_perturbation
from holdfast.models import build_learnable
from holdfast.runs import load_own_training
from holdfast.tuning import Choice, Range, named


def starting_point(experiment: Experiment, space: Mapping[str, Range]) -> dict[str, Any]:
    """The value that each key has in the experiment as it stands; one with a condition may have none.

    Raises ConfigError for another key that leads nowhere, and for two that lead to the same place.
    """
    plain = experiment.model_dump(mode="json")
    keys = [key for key, where in space.items() if not where.when]
    refuse_same_place(plain, [*keys, *experiment.by_task], "tuning.space")
    values: dict[str, Any] = {}
    for key, where in space.items():
        if where.applies(values) and (not where.when or _leads(experiment, key)):
            values[key] = _at(plain, _place(experiment, key))
    return values


def check_space(
    experiment: Experiment, space: Mapping[str, Range], training: ImageSet, by_task: bool = False
) -> None:
    """Try the ends of every range and every choice, each by itself, before anything is started.

    Args:
        training: the experiment's own training images; other data is loaded where a key asks for it.
        by_task: whether each is to change from task to task.

    Raises ConfigError that names the key and the value which the experiment refuses.
    """
    for key, where in space.items():
        for beside in _conditions(space, where):
            within = apply_values(experiment, beside)
            for value in _extremes(within, key, where):
                try:
                    if by_task:
                        tasks = max(map(len, experiment.by_task.values()), default=1)
                        apply_values(within, {}, {key: [value] * tasks})
                    _try(experiment, within, key, value, training)
                except HoldfastError as error:
                    raise ConfigError(f"tuning.space.{key}: {value!r} is refused: {error}") from error


def apply_values(
    experiment: Experiment, values: Mapping[str, Any], by_task: Mapping[str, Sequence[float]] | None = None
) -> Experiment:
    """The experiment with some dotted keys set, and others in each task. Raises ConfigError for a key that
    does not exist."""
    plain = experiment.model_dump(mode="json")
    for key, value in values.items():
        set_key(plain, key, value)
    if by_task:
        plain["by_task"] = {**plain.get("by_task", {}), **by_task}
    return parse_experiment(plain, "tuning.space")


def is_whole(experiment: Experiment, key: str) -> bool:
    """Whether a key's value is a whole number."""
    allowed = set(_allowed(experiment, key))
    return int in allowed and float not in allowed


def _extremes(experiment: Experiment, key: str, where: Range) -> tuple[Any, ...]:
    if isinstance(where, Choice):
        return where.values
    if bool in set(_allowed(experiment, key)):
        raise ConfigError(
            f"tuning.space.{key}: it is true or false; write {{kind: choice, values: [true, false]}}."
        )
    if not is_whole(experiment, key):
        return where.low, where.high
    if not (where.low.is_integer() and where.high.is_integer()):
        raise ConfigError(
            f"tuning.space.{key}: it is a whole number, so low and high have to be (got {where.low:g} and "
            f"{where.high:g})."
        )
    return int(where.low), int(where.high)


def _conditions(space: Mapping[str, Range], where: Range) -> Iterator[dict[str, Any]]:
    """Values of other keys under which this one applies: each that is named, one at a time."""
    columns = []
    for other, allowed in where.when.items():
        choice = space[other]
        assert isinstance(choice, Choice)
        columns.append([(other, each) for each in choice.values if named(each) in allowed])
    yield from (dict(combination) for combination in itertools.product(*columns))


def _leads(experiment: Experiment, key: str) -> bool:
    try:
        _place(experiment, key)
    except ConfigError:
        return False
    return True


def _try(experiment: Experiment, within: Experiment, key: str, value: Any, training: ImageSet) -> None:
    chosen = apply_values(within, {key: value})
    if chosen.learning.adversarial is not None:
        check_perturbation(chosen.learning.adversarial, chosen.model.preprocessing)
    if chosen.data != experiment.data or chosen.model.preprocessing != experiment.model.preprocessing:
        training = load_own_training(chosen)
    build_stream(chosen.stream, training, chosen.seed)
    if chosen.model != experiment.model:
        build_learnable(chosen.model)


def _place(experiment: Experiment, key: str) -> tuple[str, ...]:
    """The steps that lead to a key, a list's item by its number."""
    at: Any = experiment.model_dump(mode="json")
    place = []
    for part in key.split("."):
        if isinstance(at, list):
            kinds = [item.get("kind") if isinstance(item, dict) else None for item in at]
            part = str(kinds.index(part)) if part in kinds else part
        at = _step(at, part)
        if at is None:
            raise ConfigError(f"tuning.space: the experiment has no value at '{key}' to start from.")
        place.append(part)
    return tuple(place)


def _at(plain: Any, place: tuple[str, ...]) -> Any:
    for part in place:
        plain = _step(plain, part)
    return plain


def _step(at: Any, part: str) -> Any:
    if isinstance(at, list):
        return at[int(part)] if part.isdigit() and int(part) < len(at) else None
    return at.get(part) if isinstance(at, dict) else None


def _allowed(experiment: Experiment, key: str) -> Iterator[Any]:
    """The plain types that the config declares for a key's value."""
    *parents, last = _place(experiment, key)
    at: Any = experiment
    for part in parents:
        at = at[int(part)] if isinstance(at, tuple | list) else _attribute(at, part)
    if isinstance(at, BaseModel) and last in type(at).model_fields:
        yield from _unfold(type(at).model_fields[last].annotation)
    else:
        yield type(_at(experiment.model_dump(mode="json"), (*parents, last)))


def _attribute(at: Any, part: str) -> Any:
    return at[part] if isinstance(at, dict) else getattr(at, part)


def _unfold(annotation: Any) -> Iterator[Any]:
    inner = [each for each in get_args(annotation) if isinstance(each, type) or get_args(each)]
    if inner:
        for each in inner:
            yield from _unfold(each)
    else:
        yield annotation
