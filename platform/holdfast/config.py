"""The experiment file: one YAML file is one experiment, composed of the configs that the parts own."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError

from holdfast.adapters import AdapterConfig, RidgeConfig
from holdfast.data import DataConfig
from holdfast.errors import ConfigError
from holdfast.learning import SequencePlan
from holdfast.settings import Settings


class ScalingConfig(Settings):
    """On what the sequence runs. None of it changes what is learned, but for rounding."""

    workers: int = Field(default=1, ge=0)
    """0 learns in the driver's own process, without Ray; N is that many Ray Train workers."""
    cpus_per_worker: int | None = Field(default=None, ge=1)
    """Default: the machine's CPUs divided among the workers."""
    gpu: bool = False
    max_failures: int = Field(default=2, ge=-1)
    """How many times Ray restarts lost workers from the last checkpoint; -1 for ever."""


class EvaluationConfig(Settings):
    """How the numbers are computed. `control` names the run whose self-tests the update gain divides by."""

    resamples: int = Field(default=1000, ge=100)
    control: str | None = None


class Uniform(Settings):
    """A number, all of them alike likely."""

    kind: Literal["uniform"] = "uniform"
    low: float
    high: float


class LogUniform(Settings):
    """A positive number, all orders of magnitude alike likely."""

    kind: Literal["loguniform"] = "loguniform"
    low: float = Field(gt=0)
    high: float = Field(gt=0)


class Choice(Settings):
    """One of `values`."""

    kind: Literal["choice"] = "choice"
    values: tuple[Any, ...] = Field(min_length=1)


Range = Annotated[Uniform | LogUniform | Choice, Field(discriminator="kind")]


class TuningConfig(Settings):
    """A sweep: which keys vary, what is better, and how much may be spent. Validation images only."""

    space: dict[str, Range] = Field(min_length=1)
    """Dotted key of the experiment -> where it may lie; a list is addressed by number or by its `kind`."""
    objective: Literal["mean", "self", "cross"] = "mean"
    """self: newest version on its own gallery; cross: newest on all older galleries; mean: of the two."""
    trials: int = Field(default=12, ge=1)
    concurrent: int = Field(default=1, ge=1)
    cpus_per_trial: int = Field(default=1, ge=1)
    grace_tasks: int = Field(default=2, ge=1)
    """ASHA lets every trial learn at least so many tasks before it compares."""


class Experiment(SequencePlan):
    """What is learned (seed, stream, model, learning, regularizers), from which data, and how it is run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    data: DataConfig
    parent: Literal["latest", "none"] = "latest"
    """`latest`: the first task goes on from the newest version of the store; `none`: a lineage of its own."""
    scaling: ScalingConfig = ScalingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    adapter: AdapterConfig | None = RidgeConfig()
    """What is fitted between a published version's space and each ancestor's; null for nothing."""
    tuning: TuningConfig | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the weights; scaling, tuning, evaluation and adapter do not."""
        decisive = self.model_dump_json(exclude={"scaling", "tuning", "evaluation", "adapter", "name"})
        return hashlib.sha256(decisive.encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """The whole experiment, every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def load_experiment(file: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment file and apply `dotted.key=value` overrides.

    Raises:
        ConfigError: the file is missing or not YAML, a key is unknown (names the ones that exist), a value
            is of the wrong type or impossible (names the key's path and what is allowed).
    """
    path = Path(file)
    if not path.is_file():
        raise ConfigError(
            f"No experiment file at {path}: give the path of a YAML file, as experiments/quickstart.yaml."
        )
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} holds no mapping of keys to values; an experiment starts with 'name:' and 'data:'."
        )
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set {override!r} is not of the form dotted.key=value.")
        try:
            set_key(values, key, yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is not valid YAML.") from error
    return parse_experiment(values, str(path))


def parse_experiment(values: dict[str, Any], origin: str = "experiment") -> Experiment:
    """Validate plain values as an experiment. Raises ConfigError, one line for each mistake."""
    try:
        return Experiment.model_validate(values)
    except ValidationError as error:
        mistakes = "\n".join(f"  {_explain(detail)}" for detail in error.errors())
        raise ConfigError(f"{origin}:\n{mistakes}") from error


def set_key(values: dict[str, Any], key: str, value: Any) -> None:
    """Set `a.b.c` in nested dictionaries and lists; a list's item is named by its number or its `kind`."""
    at: Any = values
    parts = key.split(".")
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        if isinstance(at, list):
            position = _list_position(at, part, key)
            if last:
                at[position] = value
            at = at[position]
        elif isinstance(at, dict):
            if last:
                at[part] = value
            else:
                at = at.setdefault(part, {})
        else:
            raise ConfigError(f"{key}: '{'.'.join(parts[:depth])}' is a single value, nothing lies below it.")


def _list_position(items: list[Any], part: str, key: str) -> int:
    if part.isdigit() and int(part) < len(items):
        return int(part)
    kinds = [item.get("kind") if isinstance(item, dict) else None for item in items]
    if part in kinds:
        return kinds.index(part)
    allowed = ", ".join([*(str(number) for number in range(len(items))), *(kind for kind in kinds if kind)])
    raise ConfigError(f"{key}: the list has no item '{part}'; it has {allowed or 'no items'}.")


def _explain(detail: Any) -> str:
    """One sentence for one pydantic error: path, what is wrong, what is allowed."""
    location = tuple(detail["loc"])
    path = ".".join(str(part) for part in location)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(Experiment, location[:-1])
        close = get_close_matches(str(location[-1]), allowed, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"{path}: unknown key.{hint} Allowed here: {', '.join(allowed)}."
    if detail["type"] == "missing":
        return f"{path}: missing, and it has no default."
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{path}: 'kind' must be one of {detail['ctx'].get('expected_tags', 'the documented kinds')}."
    return f"{path}: {detail['msg']} (got {detail['input']!r})."


def _allowed_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys of the config at a pydantic error location; tags and list positions are stepped over."""
    candidates: list[Any] = [model]
    for part in location:
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        fields = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if fields:
            candidates = [inner for field in fields for inner in _unfold(field)]
        else:
            tagged = [
                m for m in models if "kind" in m.model_fields and m.model_fields["kind"].default == part
            ]
            candidates = tagged or candidates
    names = [
        n for c in candidates if isinstance(c, type) and issubclass(c, BaseModel) for n in c.model_fields
    ]
    return list(dict.fromkeys(names))


def _unfold(annotation: Any) -> list[Any]:
    """The classes inside unions, containers and Annotated."""
    if get_origin(annotation) in (Union, UnionType, Annotated, tuple, list, dict):
        return [inner for argument in get_args(annotation) for inner in _unfold(argument)]
    return [annotation]
