"""All tasks of a stream, one after the other: learn, embed the evaluation data, publish, go on."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.base import DivergedError, HoldfastError
from holdfast.data import Reader, Task, build_stream, read_here
from holdfast.learning.datasets import Datasets, embed_datasets, validation_indices
from holdfast.learning.learned import Ancestor, Learned, Publisher, find_sample, start_from
from holdfast.learning.learner import Learner, Term, count_steps
from holdfast.learning.perturbation import check_perturbation
from holdfast.learning.plan import SequencePlan
from holdfast.learning.progress import PUBLISHED, Progress, Watcher, ignore_progress, nobody_wants
from holdfast.learning.randomness import derive_seed
from holdfast.learning.ranks import Ranks
from holdfast.learning.resuming import (
    Checkpoints,
    State,
    describe_contents,
    describe_stream,
    describe_weights,
    pack_ancestor,
    reading_checkpoint,
    require_same_contents,
    unpack_ancestor,
)
from holdfast.learning.task_images import TaskImages, turned_classes
from holdfast.learning.teaching import begin_at_map, check_taught, classify_by_means
from holdfast.models import (
    Encoder,
    Head,
    Learnable,
    build_learnable,
    embed_unlearned,
    find_flaw,
    find_vectors_flaw,
    find_weights_flaw,
)
from holdfast.regularizers import RECIPE, TAUGHT, TUNED, Classifier, RegularizerConfig, Setting

SETTLED = 10_000
"""Training images of the first task, at most, by which a network chooses where to begin."""
CODED = 20_000
"""Those by whose embeddings codewords are placed, where they are."""
PROBED = 256
"""Training images of a task, at most, whose embeddings are looked at before anything is published."""


def run_sequence(
    plan: SequencePlan,
    data: Datasets,
    publisher: Publisher,
    checkpoints: Checkpoints,
    watch: Watcher = ignore_progress,
    ranks: Ranks = Ranks(),
    device: torch.device = torch.device("cpu"),
    metric: float = 1.0,
    wanted: Callable[[], bool] = nobody_wants,
    read: Reader = read_here,
) -> list[str]:
    """Learn the whole stream from wherever `checkpoints` left off; return the versions it published.

    Called on every worker alike. The cost of a task, in time and in memory, does not grow with the number
    of tasks before it: two models are held, the new one and its parent, and no image of an earlier task.
    `metric` is the weight of the classification loss; with 0 the regularizers alone teach, and no version
    keeps a head. `wanted` is asked a few times a second whether this worker is to save before it is due;
    `read` reads streamed images.
    """
    return _Sequence(plan, data, publisher, checkpoints, watch, ranks, device, metric, wanted, read).run()


@dataclass
class _Sequence:
    plan: SequencePlan
    data: Datasets
    publisher: Publisher
    checkpoints: Checkpoints
    watch: Watcher
    ranks: Ranks
    device: torch.device
    metric: float = 1.0
    wanted: Callable[[], bool] = nobody_wants
    read: Reader = read_here
    versions: list[str] = field(default_factory=list)
    parent: Ancestor | None = None
    base: np.ndarray | None = None
    gallery_sample: np.ndarray | None = None

    def run(self) -> list[str]:
        plan = self.plan
        state = self.checkpoints.latest()
        self.contents = describe_contents(self.data)
        if state is not None:
            require_same_contents(state, self.contents)
        self.tasks = build_stream(plan.stream, self.data.training, plan.seed)
        self.plans = plan.each_task(len(self.tasks))
        self.contents |= describe_stream(self.tasks) | describe_weights(plan.model)
        self.terms = self._build_terms(0 if state is None else state.get("task", 0))
        self.gallery_sample = find_sample(self.plans, self.data, self.publisher)
        if state is None:
            self.parent = self.publisher.parent()
            if self.parent is not None:
                for term in self.terms:
                    term.module.recall(self.parent.kept)
            first, learner_state = 0, None
            self._check()
        else:
            require_same_contents(state, self.contents)
            with reading_checkpoint():
                first, learner_state = state["task"], state["learner"]
                self._restore(state)
            for task, version in zip(self.tasks, self.versions, strict=False):
                self._tell_of(task, version)
        for task in self.tasks[first:]:
            if plan.by_task and task.index > first:
                before, self.terms = self.terms, self._build_terms(task.index)
                for term, earlier in zip(self.terms, before, strict=True):
                    term.module.load_state_dict(earlier.module.state_dict())
            self._run_task(task, learner_state)
            learner_state = None
        return self.versions

    def _check(self) -> None:
        """Refuse a method in a setting where it is undefined, before anything is trained."""
        if self.plan.learning.adversarial is not None:
            check_perturbation(self.plan.learning.adversarial, self.plan.model.preprocessing)
        for task in self.tasks:
            self._head(task)
        parent = None
        if self.parent is not None and self.parent.encoder is not None:
            parent = self.parent.encoder.config
            self.plan.model.check_parent(parent)
        elif self.parent is not None:
            check_taught(self.plan.learning, self.parent)
        setting = Setting(
            scenario=self.plan.stream.scenario,
            classes=tuple(self._classes(task) for task in self.tasks),
            model=self.plan.model,
            parent=parent,
            initialization=self.plan.learning.initialization,
            parent_vectors=self.parent.dimension if self.parent is not None and parent is None else None,
        )
        for plan in self.plans:
            for config in plan.at_work:
                config.check(setting)

    def _run_task(self, task: Task, learner_state: State | None) -> None:
        learner = self._learner(task)
        if learner_state is None:
            learner.begin()
        else:
            with reading_checkpoint():
                learner.restore(learner_state)
        before = self._steps_before(task.index)
        learner.learn(
            lambda: self._save(task.index, learner),
            lambda seen: self.watch(replace(seen, before=before)),
            self.wanted,
        )
        for term in self.terms:
            term.module.finish(learner.start)
        self._settle_codes(task, learner.encoder)
        version = self._publish(task, learner)
        self.versions.append(version)
        self._tell_of(task, version)
        encoder = copy.deepcopy(learner.encoder).eval().requires_grad_(False)
        classifier = Classifier(upright_directions(learner), task.classes)
        self.parent = Ancestor(version, encoder, classifier, self._images_with(task))
        self._save(task.index + 1, None)

    def _settle_codes(self, task: Task, encoder: Learnable) -> None:
        """What is found once all else is learned, the versions to come keep: their codes mean the same."""
        before = self.parent.encoder if self.parent is not None else None
        kept = before.assignment if before is not None else None
        images, some = self.data.training.images, task.train[:: -(-len(task.train) // CODED)]
        self.plan.model.head.settle_matrix(encoder.assignment, kept, lambda: encoder.embed(images[some]))

    def _tell_of(self, task: Task, version: str) -> None:
        steps = self._steps_before(task.index + 1)
        self.watch(Progress(PUBLISHED, task.index, len(self.tasks), task.name, before=steps, version=version))

    def _steps_before(self, task: int) -> int:
        return sum(count_steps(self.plan.learning, len(other.train)) for other in self.tasks[:task])

    def _learner(self, task: Task) -> Learner:
        plan = self.plans[task.index]
        torch.manual_seed(derive_seed(plan.seed, "task", task.index, "initialization"))
        encoder = build_learnable(plan.model)
        parent = None
        if self.parent is not None and self.parent.encoder is not None:
            parent = self.parent.encoder.as_learned()
        vectors = self.parent.vectors if self.parent is not None else None
        if task.index == 0 or plan.learning.initialization == "independent":
            some = task.train[:: -(-len(task.train) // SETTLED)]
            encoder.begin_at(lambda: self.data.training.images[some])
        if parent is not None and plan.learning.initialization == "parent":
            start_from(encoder, parent)
        knows = plan.model.pretrained or plan.model.projects
        narrowed = plan.model.projects and parent is not None and parent.dimension != encoder.dimension
        if (self.parent is None and knows) or narrowed:
            # What it begins with knows something already; and by directions that a projection leaves out it
            # cannot be held to what came before.
            parent = copy.deepcopy(encoder).eval().requires_grad_(False)
        encoder.begin(plan.model)
        known = {name: number for number, name in enumerate(task.classes)}
        labels = torch.tensor([known[label] for label in self.data.training.labels[task.train]])
        head = self._head(task)
        if parent is not None:
            head.take_matrix(parent.assignment)
        images = TaskImages(
            task=task.index,
            tasks=len(self.tasks),
            name=task.name,
            images=self.data.training.images,
            indices=task.train,
            upright=labels,
            classes=task.classes,
            turns=plan.learning.turns,
            parent_images=None if self.data.source is None else self.data.source.images,
            parent_vectors=vectors,
        )
        classifier = self.parent.classifier if self.parent is not None else None
        if vectors is not None:
            classifier = classify_by_means(images)
            # What a network from nothing makes of images before its first step, it never makes again.
            if (
                isinstance(encoder, Encoder)
                and plan.model.pretrained
                and plan.learning.initialization == "parent"
            ):
                begin_at_map(encoder, images)
        return Learner(
            plan.learning,
            images,
            encoder=encoder,
            head=head,
            seed=plan.seed,
            parent=parent,
            parent_classifier=classifier,
            terms=self._terms_in(task),
            ranks=self.ranks,
            device=self.device,
            metric=self.metric,
            known=self._known(task),
            read=self.read,
            gallery_sample=self.gallery_sample if parent is not None else None,
        )

    def _known(self, task: Task) -> float:
        """How many images the lineage learned before, over those of the task."""
        return self._images_before(task) / len(task.train)

    def _images_before(self, task: Task) -> int:
        """How many the lineage learned; as many as the task has where nobody counted."""
        if self.parent is None:
            return 0
        return len(task.train) if self.parent.images is None else self.parent.images

    def _images_with(self, task: Task) -> int:
        """How many the lineage has learned after the task, in which some may have come again."""
        before = self._images_before(task)
        earlier = [other.train for other in self.tasks[: task.index]]
        return before + len(np.setdiff1d(task.train, np.concatenate(earlier)) if earlier else task.train)

    def _build_terms(self, task: int) -> list[Term]:
        """The terms as a task wants them, which know of nothing yet."""
        plan = self.plans[min(task, len(self.plans) - 1)]
        configs = [*plan.at_work, *self._configs_of_taught()]
        return [Term(config.kind, config.weight, config.build()) for config in configs]

    def _configs_of_taught(self) -> list[RegularizerConfig]:
        """What only a parent that is known by its vectors alone needs, of a default that lacks it."""
        if not self._ties_by_default():
            return []
        there = {config.kind for config in self.plan.regularizers}
        return [config for config in TAUGHT if config.kind not in there]

    def _terms_in(self, task: Task) -> list[Term]:
        """The terms with the weights that they have in the task."""
        taught = self.parent is not None and self.parent.encoder is None
        if taught and self._ties_by_default():
            weights: dict[str, float] = {config.kind: config.weight for config in TAUGHT}
            return [replace(term, weight=weights.get(term.name, 0.0)) for term in self.terms]
        return [
            replace(term, weight=config.weight_at(self._known(task)))
            for config, term in zip(self.plans[task.index].at_work, self.terms, strict=False)
        ]

    def _ties_by_default(self) -> bool:
        return not self.plan.by_task and self.plan.regularizers in (RECIPE, TUNED)

    def _head(self, task: Task) -> Head:
        """A new head. Its fixed directions, if it has any, go by the order in which classes first appear."""
        numbers: dict[str, int] = {}
        for earlier in self.tasks[: task.index + 1]:
            for name in self._classes(earlier):
                numbers.setdefault(name, len(numbers))
        model, classes = self.plan.model, self._classes(task)
        return model.head.build(model.dimension, len(classes), [numbers[name] for name in classes])

    def _classes(self, task: Task) -> tuple[str, ...]:
        return turned_classes(task.classes, self.plan.learning.turns)

    def _publish(self, task: Task, learner: Learner) -> str:
        """Rank 0 evaluates and publishes; the others wait for the version's name, or for the error."""
        outcome: list[Any] = ["", None]
        if self.ranks.rank == 0:
            try:
                outcome[0] = self._evaluate_and_publish(task, learner)
            except HoldfastError as mistake:
                outcome[1] = mistake
        if self.ranks.world > 1:
            torch.distributed.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        return str(outcome[0])

    def _evaluate_and_publish(self, task: Task, learner: Learner) -> str:
        self.watch(Progress("evaluating", task.index, len(self.tasks), task.name))
        started = time.perf_counter()
        some = task.train[:: -(-len(task.train) // PROBED)]
        self._refuse(task, find_weights_flaw(learner.head))
        self._refuse(task, find_flaw(learner.encoder, self.data.training.images[some]))
        embedded = embed_datasets(learner.encoder, self.data, self.tasks)
        for vectors in (embedded.queries, embedded.gallery, embedded.validation):
            self._refuse(task, find_vectors_flaw(vectors))
        model = self.plan.model
        if self.base is None and (model.pretrained or model.base is not None):
            validation = self.data.training.images[validation_indices(self.tasks)]
            self.base = embed_unlearned(model, validation, self.device)
        evaluating = time.perf_counter() - started
        self.watch(Progress("publishing", task.index, len(self.tasks), task.name))
        return self.publisher.publish(
            Learned(
                task=task.index,
                tasks=len(self.tasks),
                name=task.name,
                parent=self.parent.version if self.parent is not None else None,
                encoder=copy.deepcopy(learner.encoder).cpu().eval(),
                directions=upright_directions(learner).cpu().numpy() if self.metric > 0 else None,
                embedded=embedded,
                classes=task.classes,
                history=learner.losses.history,
                images=learner.throughput.images,
                lineage_images=self._images_with(task),
                seconds={"learning": learner.throughput.seconds, "embedding": evaluating},
                kept=self._kept(),
                base=self.base,
            )
        )

    def _kept(self) -> dict[str, np.ndarray]:
        kept = {name: tensor for term in self.terms for name, tensor in term.module.memories().items()}
        return {name: tensor.cpu().numpy() for name, tensor in kept.items()}

    def _refuse(self, task: Task, flaw: str | None) -> None:
        """The last step may have broken what its loss, computed before it, could not tell of."""
        if flaw is not None:
            raise DivergedError(
                f"What was learned in task {task.index + 1} ({task.name}) is no version, {flaw}: nothing was "
                "published. Lower learning.optimizer.learning_rate or the weight of a term, and start over "
                "with --fresh."
            )

    def _save(self, task: int, learner: Learner | None) -> None:
        self.checkpoints.save(
            {
                "task": task,
                "learner": learner.state() if learner is not None else None,
                "terms": [term.module.state_dict() for term in self.terms],
                "parent": pack_ancestor(self.parent) if self.parent is not None else None,
                "versions": list(self.versions),
                "contents": self.contents,
            }
        )

    def _restore(self, state: State) -> None:
        for term, saved in zip(self.terms, state["terms"], strict=True):
            term.module.load_state_dict(saved)
        self.versions = list(state["versions"])
        if state["parent"] is not None:
            self.parent = unpack_ancestor(state["parent"], self.publisher.parent)


def upright_directions(learner: Learner) -> Tensor:
    """The head's directions of the classes that the data has, float32 (classes, d), unit norm."""
    return learner.head.unit_directions()[: len(learner.images.classes)]
