"""Small encoders by imitation: what a robust source is worth, over target samples and over epsilon.

    python experiments/benchmarks/transfer.py                          # all cells that are not there yet
    python experiments/benchmarks/transfer.py --only omniglot --seeds 2
    python experiments/benchmarks/transfer.py --report                 # the page alone, from what is there
    python experiments/benchmarks/transfer.py --quick                  # small sizes: does it run at all?

A source (the large network, one task over all training images) is learned once a seed: standard, with
attacked copies, or with noise of the same norm. Small networks then see a share of the same images at half
the size, as they are or as edges or local binary patterns, and learn them without transfer or imitate a
source. Fine-tuning, which needs the source's network and input, is there for comparison where the input
allows it. A cell is one method on one input with one seed; each is written when it is finished, and the
command goes on from there. Seeds are paired, queries are the same for all, and intervals are over the
queries, of the mean over the seeds.
"""

import argparse
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cells import REPOSITORY
from comparison.kept import Cells, Name, identity
from comparison.training import InMemory
from rich.console import Console

from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.evaluation import bootstrap, describe_machine, paired_bootstrap, score
from holdfast.jobs.datasets import load_datasets
from holdfast.jobs.distill import count_parameters
from holdfast.learning import (
    Ancestor,
    Datasets,
    DistillationConfig,
    SequencePlan,
    distillation_plan,
    keep_freed_memory,
    run_sequence,
)
from holdfast.models import Encoder

RESULTS = REPOSITORY / "experiments" / "results" / "transfer"
FILES = {"glyphs": "quickstart-small.yaml", "omniglot": "omniglot-5-small.yaml"}
LARGE_EPOCHS = 12
SMALL_EPOCHS, MOST_EPOCHS = 10, 60
"""Over all images, and over however few: a tenth of the images is seen six times as often."""
EPSILONS = (0.03, 0.1, 0.2)
EPSILON = 0.03
SHARES = (0.1, 0.25, 1.0)
INPUTS: dict[str, dict[str, Any]] = {
    "half the size": {"size": 14},
    "edges": {"size": 14, "view": "edges"},
    "patterns": {"size": 14, "view": "local-binary-patterns"},
}
SAME = "the same"
NONE, FINETUNE = "no transfer", "fine-tuning"
SOURCES = ("standard", "noise", "robust")


@dataclass(frozen=True)
class Work:
    """One cell: what is learned, from which source, on which input."""

    protocol: str
    method: str
    input: str
    share: float
    epsilon: float
    seed: int

    @property
    def source(self) -> str | None:
        return self.method if self.method in SOURCES else None if self.method == NONE else "standard"

    @property
    def name(self) -> Name:
        return Name(
            self.protocol, f"{self.method}, {self.input}, {self.share:g}, {self.epsilon:g}", self.seed
        )


class Bench:
    """The experiments, the images by what reads them, and the sources by what made them."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self._data: dict[tuple[str, str], Datasets] = {}

    def source_experiment(self, work: Work) -> Experiment:
        values = self._values(work)
        values["model"].update(width=0.25 if self.quick else 1.0, preprocessing={})
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
            values["model"]["preprocessing"] = INPUTS[work.input]
        values["stream"]["share"] = work.share
        if not self.quick:
            values["learning"]["epochs"] = min(MOST_EPOCHS, round(SMALL_EPOCHS / work.share))
        return parse_experiment(values)

    def _values(self, work: Work) -> dict[str, Any]:
        loaded = load_experiment(REPOSITORY / "experiments" / FILES[work.protocol])
        values = loaded.model_dump(mode="json")
        values.update(seed=work.seed, regularizers=[], adapter=None, parent="none")
        values["distillation"] = None
        if self.quick:
            values["data"] = {
                "source": "glyphs:?classes=24&instances=6",
                "train": {"split": "train"},
                "evaluate": {"split": "evaluation"},
            }
            values["stream"] = {"tasks": 1}
            values["learning"].update(epochs=1, batch_size=16, turns=1)
            values["model"].update(dimension=16, width=0.125)
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
) -> Encoder:
    """The one version of a sequence of one task."""
    memory = _From(ancestor)
    run_sequence(plan, data, memory, memory, metric=metric)
    return memory.learned[0].encoder.eval()


def _plan(experiment: Experiment) -> SequencePlan:
    return SequencePlan(**{name: getattr(experiment, name) for name in SequencePlan.model_fields})


def plan(protocols: Sequence[str], seeds: int, quick: bool) -> Iterator[Work]:
    """Seed by seed: all methods over the shares; at the smallest, all inputs, and epsilon."""
    shares, inputs = ((0.2, 1.0), ["edges"]) if quick else (SHARES, list(INPUTS))
    epsilons = (EPSILON, 0.1) if quick else EPSILONS
    for seed in range(seeds):
        for protocol in protocols:
            for share in shares:
                yield Work(protocol, FINETUNE, SAME, share, 0.0, seed)
                for input in inputs if share == shares[0] else inputs[:1]:
                    yield Work(protocol, NONE, input, share, 0.0, seed)
                    yield Work(protocol, "standard", input, share, 0.0, seed)
                    for source in ("noise", "robust"):
                        yield Work(protocol, source, input, share, EPSILON, seed)
            for epsilon in epsilons:
                for source in ("noise", "robust"):
                    for input in inputs if epsilon != EPSILON else ():
                        yield Work(protocol, source, input, shares[0], epsilon, seed)


def render(cells: Cells, works: Sequence[Work]) -> str:
    """The page: every method's Recall@1, and robust against the other sources, with paired intervals."""
    hits: dict[Work, dict[str, list[np.ndarray]]] = {}
    for work in works:
        if cells.record(work.name) is None:
            continue
        group = hits.setdefault(dataclasses.replace(work, seed=0), {})
        for name, each in cells.bits(work.name).items():
            group.setdefault(name, []).append(each.astype(float))
    machine = ", ".join(f"{key} {value}" for key, value in describe_machine().items())
    lines = [
        "# Transfer",
        f"`python experiments/benchmarks/transfer.py` on {machine}. Recall@1 in percent, 95 % intervals over "
        "the queries, of the mean over the seeds.",
        "| benchmark | input | share | epsilon | method | seeds | source's gallery | own gallery |\n"
        "|---|---|---|---|---|---|---|---|",
    ]
    order = sorted(hits, key=lambda w: (w.protocol, w.input, w.share, w.epsilon, w.method))
    rows = []
    for work in order:
        shown = [_shown(hits[work].get(name)) for name in ("source", "own")]
        place = [work.protocol, work.input, f"{work.share:g}", f"{work.epsilon:g}", work.method]
        rows.append("| " + " | ".join([*place, str(len(hits[work]["own"])), *shown]) + " |")
    lines[-1] += "\n" + "\n".join(rows)
    rows = []
    for work in order:
        if work.method != "robust":
            continue
        for other, epsilon in (("standard", 0.0), ("noise", work.epsilon)):
            baseline = hits.get(dataclasses.replace(work, method=other, epsilon=epsilon))
            if baseline is not None:
                # What a target makes of a gallery of its own needs no source, so all methods meet there too.
                shown = [_difference(hits[work][name], baseline[name]) for name in ("source", "own")]
                place = [work.protocol, work.input, f"{work.share:g}", f"{work.epsilon:g}", other]
                rows.append("| " + " | ".join([*place, *shown]) + " |")
    lines.append(
        "## A robust source less another\n\n"
        "| benchmark | input | share | epsilon | less | source's gallery | own gallery |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows)
    )
    return "\n\n".join(lines) + "\n"


def _shown(seeds: list[np.ndarray] | None) -> str:
    if not seeds:
        return ""
    found = bootstrap(np.mean(seeds, axis=0))
    return f"{100 * found.mean:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _difference(one: list[np.ndarray], other: list[np.ndarray]) -> str:
    count = min(len(one), len(other))
    found = paired_bootstrap(np.mean(one[:count], axis=0), np.mean(other[:count], axis=0))
    return f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(FILES), default=None, help="some of the benchmarks")
    parser.add_argument("--seeds", type=int, default=None, help="paired seeds 0 to N - 1 (default: 5)")
    parser.add_argument("--results", type=Path, default=None, help="another folder for the results")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--fresh", action="store_true", help="measure what was asked for again")
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    results = options.results or (RESULTS / "quick" if options.quick else RESULTS)
    bench, cells, console = Bench(results, options.quick), Cells(results), Console(stderr=True)
    protocols = options.only or (["glyphs"] if options.quick else list(FILES))
    works = list(plan(protocols, options.seeds or (1 if options.quick else 5), options.quick))
    keep_freed_memory()
    if options.fresh:
        cells.forget(work.name for work in works)
    waiting = [] if options.report else [w for w in works if not cells.is_done(w.name, bench.identity(w))]
    console.print(f"{len(works) - len(waiting)} of {len(works)} cells are there; {len(waiting)} to measure.")
    for number, work in enumerate(waiting, start=1):
        record, bits = bench.measure(work)
        cells.keep(work.name, {"id": bench.identity(work), **record}, bits)
        console.print(
            f"{number} of {len(waiting)}: {work.name.method}, seed {work.seed}: "
            f"{json.dumps(record['recall_at_1'])}, {record['seconds']} s",
            highlight=False,
            soft_wrap=True,
        )
    page = results / "transfer.md"
    page.write_text(render(cells, works))
    console.print(f"The page: {page}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
