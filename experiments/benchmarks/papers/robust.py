"""A robust source against a standard one (Yang et al. 2023): a small network imitates it on few images.

The source is Lite0 with its ImageNet weights, fine-tuned whole on all training images, in pixels: clean ones
alone, or with copies that are attacked (one step within four grey levels).
The small network has never seen ImageNet, reads half the size, and sees a tenth of each class's images,
which it learns by their labels or by what the source makes of them.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.benchmarks.harness.cells import Outcomes, Record
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.methods.protocols import Protocol, Values
from experiments.benchmarks.methods.recipes import Method
from experiments.benchmarks.methods.training import State
from experiments.benchmarks.papers import sets
from experiments.benchmarks.papers.measuring import found
from experiments.benchmarks.transfer.measuring import learn
from holdfast.config import Experiment
from holdfast.data import Evaluation, ImageSet
from holdfast.learning import (
    Ancestor,
    Datasets,
    DistillationConfig,
    SequencePlan,
    distillation_plan,
)
from holdfast.models import Encoder, Learnable, ModelConfig, build_learnable

STANDARD, ROBUST, ALONE = "standard-source", "robust-source", "no-source"
SHARE, EPSILON = 0.1, 4 / 255
SIZE, DIMENSION = 64, 256
SOURCE_EPOCHS, TARGET_EPOCHS = 4, 60

ROWS = tuple(
    Method(name, title)
    for name, title in (
        (ALONE, "Without a source"),
        (STANDARD, "Imitates a standard source"),
        (ROBUST, "Imitates a robust source"),
    )
)


@dataclass(frozen=True)
class RobustProtocol(Protocol):
    """The benchmark over one source of photographs, in pixels."""

    source: str = "grocery"
    rows: tuple[Method, ...] = ROWS
    folder: Path = RESULTS / "papers"
    quick: bool = False
    chosen_on: str = ""

    @property
    def place(self) -> str:
        return f"{self.source} pixels"

    def load(self) -> Datasets:
        return sets.load_pixels(sets.photographs(self.quick)[self.source], SIZE)


def robust_protocol(source: str, folder: Path, quick: bool) -> RobustProtocol:
    """Its values are those of the source."""
    trunk: Values = {"kind": "experiments.lite:LiteTrunk", "name": "lite0"}
    trunk["weights"] = None if quick else str(folder / "lite" / "lite0.safetensors")
    values: Values = {
        "data": sets.photographs(quick)[source].data.model_dump(mode="json"),
        "stream": {"scenario": "class-incremental", "tasks": 1, "validation": 0},
        "model": {
            "trunk": trunk,
            "dimension": 16 if quick else DIMENSION,
            "preprocessing": {"size": SIZE, "channels": 3},
            "head": {"kind": "cosface", "scale": 16, "margin": 0.2},
        },
        "learning": {"epochs": 1 if quick else SOURCE_EPOCHS, "batch_size": 64, "precision": "float32"},
        "parent": "none",
        "regularizers": [],
        "adapter": None,
    }
    title = f"{source.capitalize()}, a tenth of the images"
    return RobustProtocol(f"robust-{source}", title, values, source=source, folder=folder, quick=quick)


def robust_job(protocol: RobustProtocol, method: Method, seed: int) -> tuple[Experiment, Experiment]:
    """The experiment of the small network, and that of its source."""
    changes: Values = {}
    if method.name == ROBUST:
        changes["learning.adversarial"] = {"kind": "fgsm", "epsilon": EPSILON}
    source = protocol.experiment(f"{protocol.name}-source", seed, changes)
    small: Values = {
        "model.trunk": "conv4",
        "model.width": 0.15,
        "model.preprocessing": {"size": SIZE // 2, "channels": 3},
        "stream.share": SHARE,
        "learning.epochs": 1 if protocol.quick else TARGET_EPOCHS,
        "learning.optimizer": {"learning_rate": 3e-3},
        "learning.augment": {"rotate": 0, "shear": 0, "flip": True},
    }
    return protocol.experiment(f"{protocol.name}-{method.name}", seed, small), source


def imitate(
    protocol: RobustProtocol, method: str, experiment: Experiment, data: Datasets, shared: State | None
) -> tuple[Record, Outcomes]:
    """Learn the small network, and ask its own gallery; `source` is how the source does on its own."""
    halved = Datasets(
        _half(data.training), Evaluation(*map(_half, (data.evaluation.queries, data.evaluation.gallery)))
    )
    plan = SequencePlan(**{name: getattr(experiment, name) for name in SequencePlan.model_fields})
    outcomes: Outcomes = {}
    if method == ALONE:
        target = learn(plan, halved)
    else:
        assert shared is not None
        source = build_learnable(ModelConfig.model_validate_json(shared["parent"]["model"]))
        assert isinstance(source, Encoder)
        source.load_state_dict(shared["parent"]["weights"])
        source.eval().requires_grad_(False)
        config = DistillationConfig(pairwise=1.0)
        pairs = dataclasses.replace(halved, source=data.training)
        target = learn(distillation_plan(plan, config), pairs, Ancestor("source", source), config.metric)
        outcomes["source"] = _asked(source, data.evaluation)
    return {"versions": 1}, {**outcomes, "self": _asked(target, halved.evaluation)}


def _asked(encoder: Learnable, evaluation: Evaluation) -> np.ndarray:
    """Whether each query finds its class in a gallery of the encoder's own, int8 (q,)."""
    queries, gallery = evaluation.queries, evaluation.gallery
    vectors = encoder.embed(queries.images), encoder.embed(gallery.images)
    return found(*vectors, queries.labels, gallery.labels)


def _half(images: ImageSet) -> ImageSet:
    """Half the size: means of two by two pixels."""
    count, channels, size, _ = images.images.shape
    cells = images.images.reshape(count, channels, size // 2, 2, size // 2, 2)
    return dataclasses.replace(images, images=np.round(cells.mean((3, 5))).astype(np.uint8), digests=None)
