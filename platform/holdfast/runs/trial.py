"""One trial of a sweep: a sequence that publishes nothing, judged on validation images after every task."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from holdfast.adapters import Adapter, Meeting, carried
from holdfast.base import DivergedError
from holdfast.config import Experiment
from holdfast.data import ImageSet, build_stream
from holdfast.evaluation import score
from holdfast.learning import Ancestor, Learned, State, validation_indices
from holdfast.publishing import embed_views, fit_adapter


@dataclass
class TrialPublisher:
    """Keeps a trial's versions in memory and reports, after each task, how they match on validation images.

    self: Recall@1 of the newest version on its own gallery, leave-one-out, percent. cross: the newest
    version's queries over each older version's gallery, by way of the experiment's adapter if it has one,
    mean. The evaluation split is not even embedded.
    """

    experiment: Experiment
    objective: str
    training: ImageSet
    ancestor: Ancestor | None
    report: Any
    older: list[Learned] = field(default_factory=list)
    adapters: dict[int, Adapter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tasks = build_stream(self.experiment.stream, self.training, self.experiment.seed)
        self._labels = self.training.labels[validation_indices(self._tasks)]

    def parent(self) -> Ancestor | None:
        return self.ancestor

    def publish(self, learned: Learned) -> str:
        vectors = learned.embedded.validation
        if not np.isfinite(vectors).all():
            raise DivergedError(f"The embeddings became NaN or infinite in task {learned.task + 1}.")
        own = self._recall(vectors, vectors)
        crosses = [self._recall(queries, gallery) for queries, gallery in self._meetings(learned)]
        cross = float(np.mean(crosses)) if crosses else own
        objective = {"self": own, "cross": cross, "mean": (own + cross) / 2}[self.objective]
        self.older.append(learned)
        self.report({"objective": objective, "self": own, "cross": cross, "tasks": learned.task + 1})
        return f"task-{learned.task}"

    def _meetings(self, learned: Learned) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The newest version's queries with every older version's gallery, adapted as a publication does."""
        vectors, config = learned.embedded.validation, self.experiment.adapter
        if self.experiment.model.base is not None:
            # All galleries are the base's, which the newest version maps by itself.
            yield from ((vectors, vectors) for _ in self.older)
            return
        if config is None or not self.older:
            yield from ((vectors, older.embedded.validation) for older in self.older)
            return
        seed, augment = self.experiment.seed, self.experiment.learning.augment
        images, indices = self.training.images, self._tasks[learned.task].train
        seen = (images, indices, config.views, augment, seed, learned.task)
        newer = embed_views(learned.encoder, *seen)
        kept, self.adapters = self.adapters, {}
        for older in reversed(self.older):
            there, distance = embed_views(older.encoder, *seen), learned.task - older.task
            earlier = carried(kept.get(older.task), self.adapters.get(self.older[-1].task))
            adapter = fit_adapter(config, newer, there, seed, learned.task, distance, earlier)
            self.adapters[older.task] = adapter
            yield Meeting(adapter, config.maps).together(vectors, older.embedded.validation)

    def _recall(self, queries: np.ndarray, gallery: np.ndarray) -> float:
        # Entry i is the image of query i, whichever version embedded it.
        found = score(queries, self._labels, gallery, self._labels, leave_one_out=True)
        return found.percent()["recall_at_1"]


class NoCheckpoints:
    """Trials are short and start over."""

    def latest(self) -> State | None:
        return None

    def save(self, state: State) -> None:
        """Kept nowhere."""
