"""Learning one task: the training step, its terms, and the state that lets it go on after an interruption."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.base import ConfigError, DivergedError
from holdfast.data import Augmentation, Batches, Reader, read_here
from holdfast.learning.config import LearningConfig
from holdfast.learning.losses import Losses, Values
from holdfast.learning.optimizing import Average, build_optimizer
from holdfast.learning.parts import Parts, require_no_batch_statistics
from holdfast.learning.perturbation import attacked_loss, draw_start, perturb
from holdfast.learning.precision import autocast_dtype
from holdfast.learning.progress import (
    Progress,
    Throttle,
    Throughput,
    Watcher,
    ignore_progress,
    nobody_wants,
)
from holdfast.learning.randomness import derive_seed
from holdfast.learning.ranks import Ranks
from holdfast.learning.seeing import Draw, Feed, classify, distort, task_batches
from holdfast.learning.task_images import TaskImages
from holdfast.models import Encoder, Head, Learnable, find_weights_flaw
from holdfast.regularizers import Classifier, Regularizer, Step, TaskStart


@dataclass(frozen=True)
class Term:
    """A regularizer with its weight, under the name that logs and errors use."""

    name: str
    weight: float
    module: Regularizer


class Learner:
    """Trains `encoder` on one task.

    With several workers each computes its share of the embeddings; head and regularizers see the whole
    global batch on every worker, so that the losses, also those over pairs, do not depend on the number of
    workers. `metric` is the weight of the head's loss; with 0 the terms alone teach. `known` and
    `gallery_sample` are as `TaskStart` has them; `read` reads streamed images.
    """

    def __init__(
        self,
        config: LearningConfig,
        images: TaskImages,
        *,
        encoder: Learnable,
        head: Head,
        seed: int,
        parent: Learnable | None = None,
        parent_classifier: Classifier | None = None,
        terms: Sequence[Term] = (),
        ranks: Ranks = Ranks(),
        device: torch.device = torch.device("cpu"),
        metric: float = 1.0,
        known: float = 1.0,
        read: Reader = read_here,
        gallery_sample: np.ndarray | None = None,
    ) -> None:
        self.config, self.images, self.seed, self.ranks, self.device = config, images, seed, ranks, device
        self.metric = metric
        self.encoder = encoder.to(device)
        self.head = head.to(device)
        self.parent = parent.to(device) if parent is not None else None
        has_parent = parent is not None or images.parent_vectors is not None
        self.terms = [term for term in terms if term.weight > 0] if has_parent else []
        self._modules = [term.module.to(device) for term in self.terms]
        self.labels = images.labels.to(device)
        count = len(images.indices)
        order = (count, config.batch_for(count), derive_seed(seed, "task", images.task))
        self.batches = task_batches(images, *order[1:])
        self._shares = [Batches(*order, rank, ranks.world).slice for rank in range(ranks.world)]
        self.augmentation = Augmentation(config.augment)
        mine, epochs = self._shares[ranks.rank], config.epochs
        self._feed = Feed(images, self.batches, mine, self.augmentation, epochs, seed, self._send, read)
        perturbed = config.adversarial is not None and config.adversarial.weight > 0
        self._perturbation = config.adversarial if perturbed else None
        self._autocast = autocast_dtype(config.precision, device)
        self._parts: Parts | None = None
        if config.accumulate > 1:
            assert isinstance(encoder, Encoder), "only a trunk is run in parts"
            require_no_batch_statistics(encoder)
            self._parts = Parts(encoder, config.accumulate, self._run)
        # A trunk that is run several times a step has its gradients averaged once, after the last.
        self._model = ranks.wrap(self.encoder) if self._parts is None else self.encoder
        self.start = TaskStart(
            index=images.task,
            known=known if has_parent else 0.0,
            encoder=self.encoder,
            head=self.head,
            parent=self.parent,
            parent_classifier=parent_classifier,
            load_images=images.load_all,
            load_some=images.load,
            labels=self.labels,
            classes=len(images.class_names),
            class_names=images.class_names,
            load_parent_vectors=None if images.parent_vectors is None else images.load_all_vectors,
            gallery_sample=gallery_sample,
        )
        self.losses, self.throughput = Losses(), Throughput()
        self._step = 0
        self._begun = False

    @property
    def total_steps(self) -> int:
        return count_steps(self.config, len(self.images.indices))

    def begin(self) -> None:
        """Tell the regularizers that the task begins, then set up the optimizer over all that is trained."""
        for term in self.terms:
            term.module.begin(self.start)
        self._optimize()

    def _optimize(self) -> None:
        extra = [*self.head.parameters(), *(p for module in self._modules for p in module.parameters())]
        self._replicated = extra if self._parts is None else [*self.encoder.parameters(), *extra]
        self._optimizer, self._schedule = build_optimizer(
            self.config.optimizer, self.encoder, extra, self.total_steps
        )
        decay = self.config.average
        self._average = Average(self.encoder, decay) if decay is not None else None
        self._begun = True

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs to go on with the next step as if nothing had happened."""
        return {
            "step": self._step,
            "encoder": self.encoder.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self._average.weights if self._average is not None else None,
            "images": self.throughput.images,
            "seconds": self.throughput.seconds,
            "history": self.losses.history,
            "sums": self.losses.sums,
            # A step seeds its own draws; what comes after the last one goes on with its.
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state of the same task. The regularizers' own states are restored by the caller.

        Raises DivergedError for a state of weights that are not finite.
        """
        self._optimize()
        self.encoder.load_state_dict(state["encoder"])
        self.head.load_state_dict(state["head"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load(state["average"])
        flaw = find_weights_flaw(self.encoder)
        if flaw is not None:
            raise DivergedError(
                f"The checkpoint of task {self.images.task + 1}, step {state['step']} is of no use, "
                f"{flaw}. Lower learning.optimizer.learning_rate, and start over with --fresh."
            )
        self._step = state["step"]
        self.losses = Losses(state["sums"], state["history"])
        self.throughput = Throughput(state["images"], state["seconds"])
        for module in self._modules:
            module.resume(self.start)
        torch.set_rng_state(state["random"])

    def learn(
        self,
        save: Callable[[], None],
        watch: Watcher = ignore_progress,
        wanted: Callable[[], bool] = nobody_wants,
    ) -> None:
        """Train to the end of the task from wherever the state is.

        No step waits for the device: the terms' values are read together, a few times a second, at the end of
        an epoch and before a checkpoint.

        Args:
            save: called on every worker after each `checkpoint_steps` steps and after the last step, with
                sound weights alone.
            watch: told a few times a second.
            wanted: asked as often: whether this worker, maybe alone, is to call `save` before it is due.

        Raises:
            DivergedError: a term, or the weights, became NaN or infinite; names it.
        """
        assert self._begun, "begin() or restore() comes first"
        tell = Throttle()
        self._model.train()
        self.throughput.start()
        losses: Values = {}
        with closing(self._feed.steps(self._step)) as seen:
            while self._step < self.total_steps:
                epoch, first = divmod(self._step, self.batches.steps)
                if first == 0:
                    for module in self._modules:
                        module.begin_epoch(epoch, self.start)
                self.losses.keep(self._try_step(seen))
                self.throughput.images += self.batches.size
                self._step += 1
                looks, ends = tell(), self._step % self.batches.steps == 0
                saves = self._step % self.config.checkpoint_steps == 0 or self._step == self.total_steps
                saves = saves or (looks and wanted())
                if looks or ends or saves:
                    losses = self._read()
                if looks:
                    watch(self._progress(losses))
                if ends:
                    self.losses.close_epoch(self.batches.steps)
                if saves:
                    self._refuse_broken_weights()
                    save()
                if looks or saves:
                    self.throughput.start()
        watch(self._progress(losses))
        if self._average is not None:
            self.encoder.load_state_dict(self._average.weights)
        self.encoder.settle()
        self.head.leave_matrix(self.encoder.assignment)
        self._model.eval()

    def _try_step(self, seen: Iterator[tuple[Draw, Tensor]]) -> dict[str, Tensor]:
        try:
            return self._train_step(seen)
        except Exception:
            # What cannot be computed from NaN fails in its own way: the first term that was NaN says why.
            self._read()
            raise

    def _train_step(self, seen: Iterator[tuple[Draw, Tensor]]) -> dict[str, Tensor]:
        torch.manual_seed(derive_seed(self.seed, "task", self.images.task, "step", self._step))
        sizes = [share.stop - share.start for share in self._shares]

        with self.throughput.wait():
            draw, pixels = next(seen)
            labels = self.labels[self._send(torch.from_numpy(draw.positions))]
        embeddings, perturbed = self._embed(pixels, labels, sizes)
        step = Step(
            embeddings=embeddings,
            labels=labels,
            parent_embeddings_of=lambda: self._embed_by_parent(pixels, draw, sizes),
            distort=lambda images: distort(images, self.augmentation, self._send),
            encode=self._encode,
            encode_with_parent=self._encode_with_parent,
            progress=self._step / self.total_steps,
            other_labels=draw.other(labels) if draw.share < 1 else None,
        )
        for module in self._modules:
            step = module.replace(step)
        losses: list[tuple[str, float, Tensor]] = []
        loss: Tensor | None
        if self.metric > 0:
            loss = classify(self.head, step.embeddings, step.labels, step.other_labels, draw.share)
            losses.append(("classification", self.metric, loss))
        if self._perturbation is not None and perturbed is not None:
            loss = classify(self.head, perturbed, labels, draw.other(labels), draw.share)
            losses.append(("perturbed", self._perturbation.weight, loss))
        for term in self.terms:
            loss = term.module(step)
            if loss is not None:
                losses.append((term.name, term.weight, loss))
        total = cast(Tensor, sum(weight * loss for _, weight, loss in losses))

        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        if self._parts is not None:
            self._parts.backward()
        self.ranks.average_gradients(self._replicated)
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update(self.encoder, self._step)
        return {name: loss.detach() for name, _, loss in losses}

    def _send(self, tensor: Tensor) -> Tensor:
        """A tensor of this processor on the device, without waiting for what the device does."""
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _embed(self, pixels: Tensor, labels: Tensor, sizes: list[int]) -> tuple[Tensor, Tensor | None]:
        """The global batch's embeddings, and those of its perturbed copies where there are any."""
        if self._perturbation is None:
            encode = self._encode if self._parts is None else self._parts.encode
            return self.ranks.gather(encode(pixels), sizes), None
        place = ("task", self.images.task, "step", self._step, "perturbation")
        generator = torch.Generator().manual_seed(derive_seed(self.seed, *place))
        mine = self._shares[self.ranks.rank]
        start = draw_start(self._perturbation, (len(labels), *pixels.shape[1:]), generator)[mine]
        # Against the encoder in evaluation mode: an attack on one image then depends on no other, and leaves
        # the batch statistics alone (as TRADES has it, Zhang et al. 2019).
        self.encoder.eval()
        loss = attacked_loss(self._perturbation, self._encode_alone, self.head, pixels, labels[mine])
        copies = perturb(self._perturbation, pixels, self._send(start), loss)
        self.encoder.train()
        # In one batch, so that the statistics are of all that is learned from.
        both = self._encode(torch.cat([pixels, copies])).split(len(pixels))
        clean, perturbed = (self.ranks.gather(part, sizes) for part in both)
        return clean, perturbed

    def _embed_by_parent(self, pixels: Tensor, draw: Draw, sizes: list[int]) -> Tensor:
        """What the parent makes of the global batch, or has made of its images before they were distorted."""
        if self.images.parent_vectors is None:
            return self.ranks.gather(self._encode_with_parent(self._parent_pixels(pixels, draw)), sizes)
        vectors = self._send(torch.from_numpy(self.images.load_vectors(draw.positions)))
        if draw.share == 1:
            return vectors
        return functional.normalize(draw.share * vectors + (1 - draw.share) * draw.other(vectors))

    def _parent_pixels(self, pixels: Tensor, draw: Draw) -> Tensor:
        """The same images under the same distortions, as the parent reads them."""
        return pixels if self.images.parent_images is None else self._feed.show(draw, self.images.for_parent)

    def _encode(self, pixels: Tensor) -> Tensor:
        return self._run(self._model, pixels)

    def _encode_alone(self, pixels: Tensor) -> Tensor:
        """Without the other workers."""
        return self._run(self.encoder, pixels)

    @torch.no_grad()
    def _encode_with_parent(self, pixels: Tensor) -> Tensor:
        if self.parent is None:
            raise ConfigError(
                "A term asks what the parent makes of further images, and of the parent only its vectors of "
                "the training images are known: leave the term out, or start from a version that was learned."
            )
        return self._run(self.parent, pixels)

    def _run(self, model: nn.Module, pixels: Tensor) -> Tensor:
        with torch.autocast(self.device.type, self._autocast, enabled=self._autocast is not None):
            embeddings: Tensor = model(pixels)
        return embeddings

    def _read(self) -> Values:
        """Look at the steps since the last look; returns the newest one's values.

        Raises DivergedError for the first value that is not finite.
        """
        steps = self.losses.read()
        for step, values in enumerate(steps, self._step - len(steps)):
            self._refuse_divergence(values, step)
        if not steps:
            return {}
        self.throughput.lap()
        return steps[-1]

    def _refuse_divergence(self, values: Values, step: int) -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(f"The term '{name}' became {value}", step)

    def _refuse_broken_weights(self) -> None:
        """A checkpoint of such weights would fail whoever goes on from it."""
        flaw = find_weights_flaw(self.encoder)
        if flaw is not None:
            raise self._diverged(f"The model is broken, {flaw},", self._step - 1)

    def _diverged(self, what: str, step: int) -> DivergedError:
        return DivergedError(
            f"{what} in task {self.images.task + 1} ({self.images.name}), epoch "
            f"{step // self.batches.steps + 1}, step {step + 1}. The last checkpoint is kept. Lower "
            f"learning.optimizer.learning_rate or the term's weight, and start over with --fresh."
        )

    def _progress(self, losses: Values) -> Progress:
        done = max(self._step, 1)
        left = self.throughput.seconds / done * (self.total_steps - self._step)
        return Progress(
            phase="learning",
            task=self.images.task,
            tasks=self.images.tasks,
            name=self.images.name,
            epoch=min(self._step // self.batches.steps, self.config.epochs - 1),
            epochs=self.config.epochs,
            step=self._step,
            steps=self.total_steps,
            terms=losses,
            images_per_second=self.throughput.images_per_second,
            seconds_left=left,
        )


def count_steps(config: LearningConfig, images: int) -> int:
    """The steps of a task of so many images."""
    return config.epochs * Batches(images, config.batch_for(images), seed=0).steps
