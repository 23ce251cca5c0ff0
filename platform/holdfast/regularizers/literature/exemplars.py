"""A memory of old images, or of their vectors, for the methods that cannot do without one. Never larger than
its budget."""

import hashlib
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.base import ConfigError
from holdfast.regularizers.regularizer import Setting, TaskStart
from holdfast.regularizers.saved_shapes import SavedShapes

Selection = Literal["herding", "reservoir"]

LAST = np.iinfo(np.int64).max


def class_key(name: str) -> int:
    """63 bits that stand for a class of the data, because a buffer holds no strings."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def herd(embeddings: np.ndarray, count: int) -> np.ndarray:
    """The order in which images are taken so that the mean of those taken stays next to the mean of all.

    iCaRL's herding (Rebuffi et al. 2017, algorithm 4) for unit embeddings (n, d): int64 (min(count, n),),
    each once; of equals the first.
    """
    points = embeddings.astype(np.float64)
    mean = points.mean(axis=0)
    wanted, taken = mean.copy(), np.zeros(len(points), bool)
    order = np.empty(min(count, len(points)), np.int64)
    for place in range(len(order)):
        # With unit vectors the nearest mean is the largest product with what is still missing.
        order[place] = np.where(taken, -np.inf, points @ wanted).argmax()
        taken[order[place]] = True
        wanted += mean - points[order[place]]
    return order


def check_budget(kind: str, memory_bytes: int, setting: Setting, alternative: str) -> None:
    """Raises ConfigError unless the memory holds at least one image of every class of the sequence."""
    classes = len({name for task in setting.classes for name in task})
    base, preprocessing = setting.model.base, setting.model.preprocessing
    if base is None:
        held, size = "image", preprocessing.channels * preprocessing.size**2
    else:
        held, size = "vector", np.dtype(np.float32).itemsize * base.found()[1]
    if memory_bytes < size * classes:
        raise ConfigError(
            f"regularizers: '{kind}' has memory_bytes {memory_bytes}, which is not one {held} of {size} "
            f"bytes for each of the {classes} classes of the stream; give it at least {size * classes}, "
            f"or {alternative}."
        )


class ExemplarMemory(SavedShapes):
    """Images of learned tasks as uint8, the same number of every class seen, within `budget` bytes; of a
    projection the vectors that it reads.

    Every image has a priority within its class, and the lowest stay when the classes' share shrinks:

    - herding: the order of `herd` in the embedding of the encoder that has just learned the class, so what
      is kept of a class always has nearly the class's mean. A class that comes back is herded anew, from
      what was kept of it and its new images.
    - reservoir: a random number drawn once for each image, so what is kept is a uniform sample of all that
      was ever seen of the class (bottom-k sampling), whatever the order in which it came.

    The budget counts the images; their class and priority take 16 bytes more each.

    Attributes:
        images: uint8 (m, C, H, W), or float32 (m, d).
        classes: int64 (m,), the `class_key` of each.
        priorities: int64 (m,).
        seen: int64 (k,), the keys of all classes ever seen.
    """

    images: Tensor
    classes: Tensor
    priorities: Tensor
    seen: Tensor

    def __init__(self, budget: int, selection: Selection) -> None:
        super().__init__()
        self.budget, self.selection = budget, selection
        self.register_buffer("images", torch.empty(0, 0, 0, 0, dtype=torch.uint8))
        for name in ("classes", "priorities", "seen"):
            self.register_buffer(name, torch.empty(0, dtype=torch.int64))

    @property
    def count(self) -> int:
        """How many images are held."""
        return len(self.classes)

    def seen_with(self, class_names: tuple[str, ...]) -> int:
        """How many classes have been seen, these included."""
        return len({*self.seen.tolist(), *map(class_key, class_names)})

    def fill(self, task: TaskStart) -> None:
        """Take up the task's classes, and give up as much of the earlier ones as the budget demands."""
        images, labels = task.load_images(), task.labels.cpu().numpy()
        numbers = {class_key(name): number for number, name in enumerate(task.class_names)}
        device = self.classes.device
        old_images, old_classes = self.images.cpu().numpy(), self.classes.cpu().numpy()
        old_priorities = self.priorities.cpu().numpy()
        seen = sorted({*self.seen.tolist(), *numbers})
        share = self.budget // (int(np.prod(images.shape[1:])) * images.dtype.itemsize) // len(seen)

        nothing = np.empty((0, *images.shape[1:]), images.dtype)
        kept_images, kept_priorities = [nothing], [old_priorities[:0]]
        kept_classes = []
        for key in seen:
            ours = old_classes == key
            held, priorities = old_images[ours], old_priorities[ours]
            if key in numbers:
                # Of one class at a time, where they are streamed.
                fresh = np.asarray(images[labels == numbers[key]])
                held, priorities = self._join(held, priorities, fresh, share, task)
            first = priorities.argsort(kind="stable")[:share]
            kept_images.append(held[first].reshape(-1, *images.shape[1:]))
            kept_priorities.append(priorities[first])
            kept_classes += [key] * len(first)
        self.images = torch.from_numpy(np.concatenate(kept_images)).to(device)
        self.priorities = torch.from_numpy(np.concatenate(kept_priorities)).to(device)
        self.classes = torch.tensor(kept_classes, dtype=torch.int64, device=device)
        self.seen = torch.tensor(seen, dtype=torch.int64, device=device)

    def _join(
        self, held: np.ndarray, priorities: np.ndarray, fresh: np.ndarray, share: int, task: TaskStart
    ) -> tuple[np.ndarray, np.ndarray]:
        """What was held of a class and what is new of it, with the priorities of all."""
        # Tasks of the extended scenarios bring old images again.
        again = {image.tobytes() for image in fresh}
        new_only = [number for number, image in enumerate(held) if image.tobytes() not in again]
        pool = np.concatenate([held[new_only].reshape(-1, *fresh.shape[1:]), fresh])
        if self.selection == "reservoir":
            drawn = torch.randint(LAST, (len(fresh),)).numpy()
            return pool, np.concatenate([priorities[new_only], drawn])
        ranks = np.full(len(pool), LAST)
        order = herd(task.encoder.embed(pool), share)
        ranks[order] = np.arange(len(order))
        return pool, ranks

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` images at random, with replacement, by torch's global generator.

        Returns:
            float32 (count, C, H, W) in [0, 1], not augmented, or the vectors (count, d); and the int64
            (count,) keys of their classes.
        """
        chosen = torch.randint(self.count, (count,)).to(self.images.device)
        drawn = self.images[chosen]
        if drawn.ndim == 2:
            return drawn, self.classes[chosen]
        pixels = drawn.to(torch.float32) / 255
        return pixels.contiguous(memory_format=torch.channels_last), self.classes[chosen]
