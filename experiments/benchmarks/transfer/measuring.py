"""Measuring one cell: the source is learned once, the small network imitates it, queries meet its gallery."""

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.harness.cells import identity
from experiments.benchmarks.harness.places import EXPERIMENTS
from experiments.benchmarks.methods.training import InMemory
from experiments.benchmarks.transfer.works import FINETUNE, INPUTS, Work
from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.evaluation import score
from holdfast.learning import (
    Ancestor,
    Datasets,
    DistillationConfig,
    SequencePlan,
    distillation_plan,
    run_sequence,
)
from holdfast.models import Encoder, Learnable
from holdfast.runs import load_datasets
from holdfast.runs.distill import count_parameters

FILES = {"glyphs": "quickstart-small.yaml", "omniglot": "omniglot-5-small.yaml"}
LARGE = {"trunk": "conv4", "width": 0.5, "preprocessing": {}}
SMALL = {"trunk": "conv4", "width": 0.15}
LEARNING = {"precision": "auto", "optimizer": {"learning_rate": 0.01, "weight_decay": 1e-4}}
"""Of large and small ones alike: what the files say suits their own small encoder alone."""
LARGE_EPOCHS = 12
SMALL_EPOCHS, MOST_EPOCHS = 10, 60
"""Over all images, and over however few: a tenth of the images is seen six times as often."""


class Bench:
    """The experiments, the images by what reads them, and the sources by what made them."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self._data: dict[tuple[str, str], Datasets] = {}

    def source_experiment(self, work: Work) -> Experiment:
        values = self._values(work)
        values["model"].update(LARGE)
        if self.quick:
            values["model"]["width"] = 0.25
        values["learning"]["epochs"] = 1 if self.quick else LARGE_EPOCHS
        attacks = {"robust": {"kind": "fgsm"}, "noise": {"kind": "noise"}}
        if work.source in attacks:
            values["learning"]["adversarial"] = {**attacks[work.source], "epsilon": work.epsilon}
        return parse_experiment(values)

    def target_experiment(self, work: Work) -> Experiment:
        if work.method == FINETUNE:
            values = self.source_experiment(work).model_dump(mode="json")
        else:
            values = self._values(work)
            values["model"].update(SMALL, preprocessing=INPUTS[work.input])
        values["stream"]["share"] = work.share
        if not self.quick:
            values["learning"]["epochs"] = min(MOST_EPOCHS, round(SMALL_EPOCHS / work.share))
        return parse_experiment(values)

    def _values(self, work: Work) -> dict[str, Any]:
        loaded = load_experiment(EXPERIMENTS / FILES[work.protocol])
        values = loaded.model_dump(mode="json")
        values.update(seed=work.seed, regularizers=[], adapter=None, parent="none")
        values["learning"].update(LEARNING)
        values["distillation"] = None
        if self.quick:
            values["data"] = {
                "source": "glyphs:?classes=24&instances=6",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
            }
            values["stream"] = {"tasks": 1}
            values["learning"].update(epochs=1, batch_size=16, turns=1)
            values["model"]["dimension"] = 16
        return values

    def data(self, experiment: Experiment) -> Datasets:
        """With the queries of seed 0, whatever the seed of the weights."""
        key = (experiment.data.model_dump_json(), experiment.model.preprocessing.model_dump_json())
        if key not in self._data:
            self._data[key] = load_datasets(experiment.model_copy(update={"seed": 0}))
        return self._data[key]

    def learn_source(self, work: Work) -> Encoder:
        """Learned once, and kept in a folder named after its experiment."""
        experiment = self.source_experiment(work)
        decisive = _plan(experiment).model_dump_json() + experiment.data.model_dump_json()
        folder = self.folder / "sources" / hashlib.sha256(decisive.encode()).hexdigest()[:16]
        if not (folder / "done").exists():
            learn(_plan(experiment), self.data(experiment)).save(folder)
            (folder / "done").touch()
        return Encoder.load(folder)

    def identity(self, work: Work) -> str:
        decisive = [self.target_experiment(work), *([self.source_experiment(work)] if work.source else [])]
        return identity(work.name, [each.model_dump(mode="json") for each in decisive])

    def measure(self, work: Work) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Recall@1 of the target's queries over the source's gallery, and over a gallery of its own."""
        experiment = self.target_experiment(work)
        data, started = self.data(experiment), time.perf_counter()
        labels = (data.evaluation.queries.labels, data.evaluation.gallery.labels)
        galleries: dict[str, np.ndarray] = {}
        if work.source is None:
            target = learn(_plan(experiment), data)
        else:
            source, theirs = self.learn_source(work), self.data(self.source_experiment(work))
            galleries["source"] = source.embed(theirs.evaluation.gallery.images)
            ancestor = Ancestor("source", source.requires_grad_(False))
            if work.method == FINETUNE:
                target = learn(_plan(experiment), data, ancestor)
            else:
                config = DistillationConfig(pairwise=1.0)
                pairs = dataclasses.replace(data, source=theirs.training)
                target = learn(distillation_plan(experiment, config), pairs, ancestor, config.metric)
        queries = target.embed(data.evaluation.queries.images)
        galleries["own"] = target.embed(data.evaluation.gallery.images)
        hits = {
            name: score(queries, labels[0], gallery, labels[1]).outcome().hits
            for name, gallery in galleries.items()
        }
        if work.source is not None:
            queries = source.embed(theirs.evaluation.queries.images)
            hits["source itself"] = score(queries, labels[0], galleries["source"], labels[1]).outcome().hits
        record = {
            **dataclasses.asdict(work),
            "parameters": count_parameters(target),
            "recall_at_1": {name: 100 * float(np.mean(each)) for name, each in hits.items()},
            "seconds": round(time.perf_counter() - started, 1),
        }
        return record, {name: np.asarray(each, bool) for name, each in hits.items()}


class _From(InMemory):
    """A sequence in memory that starts from a given version."""

    def __init__(self, ancestor: Ancestor | None) -> None:
        super().__init__()
        self._ancestor = ancestor

    def parent(self) -> Ancestor | None:
        return self._ancestor


def learn(
    plan: SequencePlan, data: Datasets, ancestor: Ancestor | None = None, metric: float = 1.0
) -> Learnable:
    """The one version of a sequence of one task."""
    memory = _From(ancestor)
    run_sequence(plan, data, memory, memory, metric=metric)
    return memory.learned[0].encoder.eval()


def _plan(experiment: Experiment) -> SequencePlan:
    return SequencePlan(**{name: getattr(experiment, name) for name in SequencePlan.model_fields})
