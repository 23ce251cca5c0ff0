"""The experiment file: one YAML file is one experiment, composed of the configs that the parts own."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from holdfast.adapters import AnyAdapterConfig, RidgeConfig
from holdfast.base import ConfigError, Settings, dump_yaml, load_settings, parse_settings
from holdfast.data import DataConfig
from holdfast.learning import DistillationConfig, SequencePlan
from holdfast.scaling import ScalingConfig
from holdfast.tracking import AnyTrackerConfig
from holdfast.tuning import TuningConfig

MAX_NAME = 100
"""Characters in the name of an experiment."""

UNDECISIVE = ("scaling", "tuning", "tracking", "evaluation", "adapter", "sample", "name")
PLACELESS: dict[str, Any] = {
    "data": {"source", "allow_overlap"},
    "stream": {"manifest"},
    "model": {"trunk": {"weights"}},
}
PARENTS = ("latest", "none", "live", "canary", "writing", "previous")


class EvaluationConfig(Settings):
    """How the numbers are computed. `control` names the run whose self-tests the update gain divides by."""

    resamples: int = Field(default=1000, ge=100)
    control: str | None = None


class SampleConfig(Settings):
    """Older entries that a version embeds when it is published: the maps between it and older versions are
    fitted on them, too, and a default recipe learns to keep them where they are. No label is read."""

    size: int = Field(default=300, ge=32)
    sources: tuple[str, ...] = ()
    """Folders and URL prefixes below which the images that entries name as their source may be read."""
    evaluation: bool = False
    """For a measurement without a gallery: so many images of the evaluation gallery, which is searched
    without them."""

    @model_validator(mode="after")
    def _is_of_something(self) -> "SampleConfig":
        if self.evaluation == bool(self.sources):
            raise ValueError("give sources, below which images may be read, or evaluation: true")
        return self


def _parent(name: str) -> str:
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}", name):
        raise ValueError(
            f"{name!r} names no version; allowed are {', '.join(PARENTS)}, names such as v3, and those under "
            "which models were adopted"
        )
    return name


class Experiment(SequencePlan):
    """What is learned (seed, stream, model, learning, regularizers), from which data, and how it is run."""

    name: str = Field(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}$")
    data: DataConfig
    parent: Annotated[str, AfterValidator(_parent)] = "latest"
    """`latest`: the first task goes on from the newest version of the store that was not distilled; a version
    such as `v3`, an alias such as `live`, or the name under which a model was adopted: from that one; `none`:
    a lineage of its own. From a version that was not learned here it is learned by its vectors alone."""
    scaling: ScalingConfig = ScalingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    adapter: AnyAdapterConfig | None = RidgeConfig()
    """What is fitted between a published version's space and each ancestor's; null for nothing."""
    sample: SampleConfig | None = Field(default=None, exclude_if=lambda value: value is None)
    """Of the gallery, on which these are fitted, too; null: on the training images alone."""
    tuning: TuningConfig | None = None
    tracking: tuple[AnyTrackerConfig, ...] = Field(default=(), exclude_if=lambda value: not value)
    """Who is told of runs and sweeps while they go on. Their secrets come from the environment."""
    distillation: DistillationConfig | None = Field(default=None, exclude_if=lambda value: value is None)
    """Of a small encoder that imitates a published version: for `holdfast distill`, and for no other verb but
    `evaluate`."""

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides the weights but the data, which are known by their content.

        Scaling, tuning, tracking, evaluation and adapter do not decide them, nor do the places where the data
        and the trunk's weights lie, nor the sample where no term learns from it.
        """
        return _hash(self._dump(PLACELESS))

    def fingerprint_like(self, recorded: str) -> str:
        """The fingerprint, in the form of `recorded` if that is this experiment's as an earlier Holdfast
        computed it: with the trunk under its older name, and before that with the place of the data."""
        for undecisive in (PLACELESS, {"data": {"allow_overlap"}}):
            earlier = self._dump(undecisive).replace('"model":{"trunk":', '"model":{"backbone":', 1)
            if recorded == _hash(earlier):
                return recorded
        return self.fingerprint

    def _dump(self, undecisive: dict[str, Any]) -> str:
        left_out: dict[str, Any] = {**dict.fromkeys(UNDECISIVE, True), **undecisive}
        if any(config.reads_gallery for config in self.regularizers):
            left_out["sample"] = {"sources"}
        return self.model_dump_json(exclude=left_out)

    def to_yaml(self) -> str:
        """The whole experiment, every default written out."""
        return dump_yaml(self.model_dump(mode="json"))


class _Trackers(Settings):
    tracking: tuple[AnyTrackerConfig, ...]


def with_trackers(experiment: Experiment, kinds: Sequence[str]) -> Experiment:
    """The experiment, with trackers of these kinds, as they are by default, beside those that it lists.

    Raises ConfigError for a kind that there is not.
    """
    listed = {each.kind for each in experiment.tracking}
    wanted = [{"kind": kind} for kind in dict.fromkeys(kinds) if kind not in listed]
    found = parse_settings(_Trackers, {"tracking": wanted}, "--track").tracking
    return experiment.model_copy(update={"tracking": (*experiment.tracking, *found)})


def _hash(dumped: str) -> str:
    return hashlib.sha256(dumped.encode()).hexdigest()[:16]


def load_experiment(file: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read an experiment file and apply `dotted.key=value` overrides.

    Raises:
        ConfigError: the file is missing or not YAML, a key is unknown (names the ones that exist), a value
            is of the wrong type or impossible (names the key's path and what is allowed).
    """
    if not Path(file).is_file():
        raise ConfigError(
            f"No experiment file at {file}: give the path of a YAML file, as experiments/quickstart.yaml."
        )
    return load_settings(Experiment, file, overrides)


def parse_experiment(values: dict[str, Any], origin: str = "experiment") -> Experiment:
    """Validate plain values as an experiment. Raises ConfigError, one line for each mistake."""
    return parse_settings(Experiment, values, origin)
