"""One trial of a sweep: a sequence that publishes nothing, judged on validation images after every task."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from holdfast.adapters import Adapter, Meeting, carried, load_adapter
from holdfast.base import DivergedError
from holdfast.config import Experiment
from holdfast.data import ImageSet, build_stream
from holdfast.evaluation import score
from holdfast.learning import Ancestor, Learned, State, pack_state, read_state, validation_indices
from holdfast.models import Learnable, build_learnable
from holdfast.publishing import embed_views, fit_adapter

FILE = "trial.pt"
Report = Callable[[dict[str, float], State | None], None]


@dataclass(frozen=True, eq=False)
class Older:
    """A version of the trial that later ones are measured against.

    Attributes:
        encoder: None where no adapter is fitted to it.
        validation: float32 (n, d); empty of a projection, whose galleries are the base's.
    """

    task: int
    encoder: Learnable | None
    validation: np.ndarray


@dataclass
class TrialPublisher:
    """Keeps a trial's versions in memory and measures, after each task, how they match on validation images.

    self: Recall@1 of the newest version on its own gallery, leave-one-out, percent. cross: the newest
    version's queries over each older version's gallery, by way of the experiment's adapter if it has one,
    mean. objective: as `objective` says; the mean of the two for a front. The evaluation split is not even
    embedded.

    Attributes:
        measured: of the newest task, until its checkpoint is reported.
    """

    experiment: Experiment
    objective: str
    training: ImageSet
    ancestor: Ancestor | None
    older: list[Older] = field(default_factory=list)
    adapters: dict[int, Adapter] = field(default_factory=dict)
    measured: dict[str, float] | None = None
    images: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._tasks = build_stream(self.experiment.stream, self.training, self.experiment.seed)
        self._labels = self.training.labels[validation_indices(self._tasks)]
        self._since = time.perf_counter()

    @property
    def tasks(self) -> int:
        """Of the sequence."""
        return len(self._tasks)

    def parent(self) -> Ancestor | None:
        return self.ancestor

    def gallery_sample(self) -> np.ndarray | None:
        """None: what a trial is measured on, the validation images, is not what is found in the gallery."""
        return None

    def publish(self, learned: Learned) -> str:
        vectors = learned.embedded.validation
        if not np.isfinite(vectors).all():
            raise DivergedError(f"The embeddings became NaN or infinite in task {learned.task + 1}.")
        own = self._recall(vectors, vectors)
        # All galleries of a projection are the base's, which the newest version maps by itself.
        projects, adapts = self.experiment.model.base is not None, self.experiment.adapter is not None
        meetings = () if projects else self._meetings(learned)
        crosses = [self._recall(queries, gallery) for queries, gallery in meetings]
        cross = float(np.mean(crosses)) if crosses else own
        objective = {"self": own, "cross": cross}.get(self.objective, (own + cross) / 2)
        encoder = learned.encoder if adapts and not projects else None
        self.older.append(Older(learned.task, encoder, vectors[:0] if projects else vectors))
        self.images += learned.images
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.measured = {
            "objective": objective,
            "self": own,
            "cross": cross,
            "tasks": learned.task + 1,
            "images": self.images,
            "seconds": self.seconds,
        }
        return f"task-{learned.task}"

    def state(self) -> State:
        """What later tasks are measured with, as plain values and tensors."""
        return {
            "older": [
                {
                    "task": each.task,
                    "weights": None if each.encoder is None else each.encoder.state_dict(),
                    "validation": torch.from_numpy(each.validation),
                }
                for each in self.older
            ],
            "adapters": {
                task: (
                    adapter.kind,
                    {name: torch.from_numpy(rows) for name, rows in adapter.tensors().items()},
                )
                for task, adapter in self.adapters.items()
            },
            "images": self.images,
            "seconds": self.seconds,
        }

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.older = []
        for each in state["older"]:
            encoder = None
            if each["weights"] is not None:
                encoder = build_learnable(self.experiment.model).eval()
                encoder.load_state_dict(each["weights"])
            self.older.append(Older(each["task"], encoder, each["validation"].numpy()))
        self.adapters = {
            task: load_adapter(kind, {name: rows.numpy() for name, rows in tensors.items()})
            for task, (kind, tensors) in state["adapters"].items()
        }
        self.images, self.seconds = state["images"], state["seconds"]

    def _meetings(self, learned: Learned) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The newest version's queries with every older version's gallery, adapted as a publication does."""
        vectors, config = learned.embedded.validation, self.experiment.adapter
        if config is None or not self.older:
            yield from ((vectors, older.validation) for older in self.older)
            return
        seed, augment = self.experiment.seed, self.experiment.learning.augment
        images, indices = self.training.images, self._tasks[learned.task].train
        seen = (images, indices, config.views, augment, seed, learned.task)
        newer = embed_views(learned.encoder, *seen)
        kept, self.adapters = self.adapters, {}
        for older in reversed(self.older):
            assert older.encoder is not None, "kept for its adapter"
            there, distance = embed_views(older.encoder, *seen), learned.task - older.task
            earlier = carried(kept.get(older.task), self.adapters.get(self.older[-1].task))
            adapter = fit_adapter(config, newer, there, seed, learned.task, distance, earlier)
            self.adapters[older.task] = adapter
            yield Meeting(adapter, config.maps).together(vectors, older.validation)

    def _recall(self, queries: np.ndarray, gallery: np.ndarray) -> float:
        # Entry i is the image of query i, whichever version embedded it.
        found = score(queries, self._labels, gallery, self._labels, leave_one_out=True)
        return found.percent()["recall_at_1"]


class TrialCheckpoints:
    """Reports every task with a state to go on from; between tasks nothing is kept.

    Args:
        report: gets the figures of a task, and the state; of the last task none, as nothing goes on from it.
        begun: the state that an earlier process reported last, None for a new trial.
    """

    def __init__(self, publisher: TrialPublisher, report: Report, begun: State | None) -> None:
        self._publisher, self._report, self._begun = publisher, report, begun

    def latest(self) -> State | None:
        if self._begun is None:
            return None
        self._publisher.restore(self._begun["trial"])
        sequence: State = self._begun["sequence"]
        return sequence

    def save(self, state: State) -> None:
        measured, self._publisher.measured = self._publisher.measured, None
        if measured is None:
            return
        goes_on = measured["tasks"] < self._publisher.tasks
        self._report(measured, {"sequence": state, "trial": self._publisher.state()} if goes_on else None)


def write_trial(state: State, folder: Path) -> None:
    """Into a folder that Ray copies from and takes away, so that nothing waits for the disk."""
    with (folder / FILE).open("wb") as handle:
        handle.writelines(pack_state(state))


def read_trial(folder: Path) -> State:
    """Raises StoreError for what is no trial's state."""
    return read_state(folder / FILE)
