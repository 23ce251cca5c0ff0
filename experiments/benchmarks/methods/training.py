"""Learning the versions of one cell, in memory. Nothing of the store is needed.

The first version has no parent, so nothing that ties versions together touches it: all methods with the same
network, head and images share it, and each goes on from its checkpoint. Methods that keep something of a
learned task (exemplars, measured ranges) learn the first task themselves.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.config import Experiment
from holdfast.data import Task, build_stream
from holdfast.learning import (
    Ancestor,
    Datasets,
    Embedded,
    Learned,
    SequencePlan,
    embed_datasets,
    read_state,
    run_sequence,
    turned_classes,
    write_state,
)
from holdfast.models import Learnable, ModelConfig, build_learnable
from holdfast.regularizers import Regularizer, Setting

State = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Version:
    """One learned version. `embedded.validation` is of the images that the whole stream holds out."""

    encoder: Learnable
    embedded: Embedded
    seconds: float
    steps: int


class InMemory:
    """The publisher and the checkpoints of a sequence that leaves nothing behind.

    With `stop_after` the sequence is interrupted when so many tasks are finished.
    """

    def __init__(self, start: State | None = None, stop_after: int | None = None) -> None:
        self.learned: list[Learned] = []
        self.finished: State = {}
        self._start, self._stop_after = start, stop_after

    def parent(self) -> Ancestor | None:
        return None

    def gallery_sample(self) -> np.ndarray | None:
        return None

    def publish(self, learned: Learned) -> str:
        self.learned.append(learned)
        return f"v{learned.task + 1}"

    def latest(self) -> State | None:
        return self._start

    def save(self, state: State) -> None:
        if state["learner"] is None:
            self.finished = state
            if state["task"] == self._stop_after:
                raise _StoppedOnPurposeError


class _StoppedOnPurposeError(Exception):
    pass


def learn_first(experiment: Experiment, data: Datasets) -> State:
    """The first task alone: the checkpoint after it, and what it took."""
    memory = InMemory(stop_after=1)
    with contextlib.suppress(_StoppedOnPurposeError):
        run_sequence(_plan(experiment), data, memory, memory)
    learned = memory.learned[0]
    took = {"seconds": learned.seconds["learning"], "steps": _steps(experiment, learned)}
    return {**memory.finished, "took": took}


def first_or_kept(experiment: Experiment, data: Datasets, file: Path) -> State:
    """`learn_first` without regularizers, once for all who share it: kept in a file."""
    if file.is_file():
        return read_state(file)
    state = learn_first(experiment.model_copy(update={"regularizers": ()}), data)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_state(state, file)
    return state


def learn_all(
    experiment: Experiment, first: Experiment, data: Datasets, shared: State | None = None
) -> tuple[list[Version], tuple[Task, ...]]:
    """All versions of a stream, and its tasks.

    Args:
        experiment: of the versions. `first` is that of the first one, where its network is another.
        shared: `learn_first` of an experiment that agrees with `first` in all but the regularizers.

    Raises:
        ConfigError: a method is undefined here.
    """
    tasks = build_stream(experiment.stream, data.training, experiment.seed)
    refuse_undefined(experiment, first, tasks)
    state = shared
    if state is None and experiment.model != first.model:
        state = learn_first(first, data)
    elif state is not None:
        built = [config.build() for config in experiment.regularizers if config.weight > 0]
        state = {**state, "terms": [term.state_dict() for term in built]}
    versions = []
    if state is not None:
        versions.append(_from_state(state, data, tasks))
        state = {key: value for key, value in state.items() if key != "took"}
        state["contents"] = _of_network(state["contents"], experiment.model)
    memory = InMemory(state)
    run_sequence(_plan(experiment), data, memory, memory)
    for learned in memory.learned:
        versions.append(
            Version(
                learned.encoder, learned.embedded, learned.seconds["learning"], _steps(experiment, learned)
            )
        )
    return versions, tasks


def learn_last(experiment: Experiment, data: Datasets) -> tuple[list[Version], tuple[Task, ...]]:
    """The last task alone, without a parent: joint training, where the stream's last task has all images."""
    tasks = build_stream(experiment.stream, data.training, experiment.seed)
    state: State = {"task": len(tasks) - 1, "learner": None, "terms": [], "parent": None, "versions": []}
    memory = InMemory(state)
    run_sequence(_plan(experiment), data, memory, memory)
    (learned,) = memory.learned
    steps = _steps(experiment, learned)
    return [Version(learned.encoder, learned.embedded, learned.seconds["learning"], steps)], tasks


def refuse_undefined(experiment: Experiment, first: Experiment, tasks: Sequence[Task]) -> None:
    """What `run_sequence` checks at its start, which a sequence that goes on skips. Raises ConfigError."""
    model = experiment.model
    learned = [turned_classes(task.classes, experiment.learning.turns) for task in tasks]
    other = first.model if first.model != model else None
    initialization = experiment.learning.initialization
    setting = Setting(experiment.stream.scenario, tuple(learned), model, other, initialization)
    for config in experiment.regularizers:
        if config.weight > 0:
            config.check(setting)


def shared_key(experiment: Experiment, data: Datasets) -> str | None:
    """Equal for experiments whose first versions are bit-identical; None where it must not be shared."""
    if experiment.regularizers and experiment.model.pretrained:
        # The pretrained network itself is the first version's parent.
        return None
    for config in experiment.regularizers:
        term = config.build()
        keeps = type(term).finish is not Regularizer.finish and term.state_dict()
        if config.weight > 0 and keeps:
            return None
    tasks = build_stream(experiment.stream, data.training, experiment.seed)
    plan = _plan(experiment)
    learning = plan.learning.model_copy(update={"initialization": "parent"})
    # Later tasks do not touch the first one, but a sequence goes on only with the tasks that it began with.
    parts = [
        plan.model_copy(update={"regularizers": (), "learning": learning}).model_dump(
            mode="json", exclude={"stream"}
        ),
        data.training.fingerprint,
        data.evaluation.queries.fingerprint,
        data.evaluation.gallery.fingerprint,
        [list(task.classes) for task in tasks],
        [hashlib.sha256(task.train.astype("<i8").tobytes()).hexdigest() for task in tasks],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _plan(experiment: Experiment) -> SequencePlan:
    return SequencePlan(**{name: getattr(experiment, name) for name in SequencePlan.model_fields})


def _from_state(state: State, data: Datasets, tasks: tuple[Task, ...]) -> Version:
    encoder = build_learnable(ModelConfig.model_validate_json(state["parent"]["model"]))
    encoder.load_state_dict(state["parent"]["weights"])
    encoder.eval().requires_grad_(False)
    took = state["took"]
    return Version(encoder, embed_datasets(encoder, data, tasks), took["seconds"], took["steps"])


def _of_network(contents: State, model: ModelConfig) -> State:
    """What a sequence goes on from, where a newer network begins with other weights than the first one."""
    kept = {part: value for part, value in contents.items() if part != "weights"}
    return kept if model.weights_digest is None else {**kept, "weights": model.weights_digest}


def _steps(experiment: Experiment, learned: Learned) -> int:
    return max(1, round(learned.images / experiment.learning.batch_size))
