"""An upgrade that is trained between two networks of others: what it is worth over the old gallery.

    python experiments/adopt_lite.py -o lite && python experiments/lite.py -o lite
    python -m experiments.benchmarks.adopting.trained                # three seeds, as the file below has it
    python -m experiments.benchmarks.adopting.trained --quick        # random vectors: does it run at all?

`experiments/grocery-trained-upgrade.yaml`: Lite2 filled the gallery, and Lite0 learns from its vectors. Half
of each class of the test split asks the other half, of which 300 images fit the map and are not measured. A
seed is a run in a store of its own; one that was interrupted goes on. One JSON document a seed.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.harness.command import run_command
from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.entries import Entries, Entry
from holdfast.evaluation import Outcome, compare_pairs, describe_machine
from holdfast.learning import ignore_progress
from holdfast.models import Wishes
from holdfast.runs import adopt_model, learn_experiment, load_datasets, try_model
from holdfast.store import Store, open_store

FILE = Path("experiments/grocery-trained-upgrade.yaml")
CANDIDATES = 50
DIMENSION = 24
RESAMPLES = 1000
QUICK = {
    "name": "quick",
    "parent": "lite2",
    "data": {
        "source": "glyphs:?classes=24&instances=10",
        "train": {"split": "train"},
        "evaluate": {"split": "evaluation", "queries": 0.5},
    },
    "stream": {"tasks": 1, "validation": 0},
    "model": {"trunk": {"kind": "conv4", "width": 0.25}},
    "learning": {"epochs": 1, "batch_size": 32},
    "sample": {"size": 32, "evaluation": True},
    "scaling": {"workers": 0},
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("lite"), help="what the two scripts wrote")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("trained-upgrade"), help="folder of the stores")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the experiment")
    parser.add_argument("--quick", action="store_true", help="small sizes; no figure means anything then")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    model, wishes = f"onnx:{options.models}/lite2.onnx", Wishes(preprocessing=options.models / "lite2.yaml")
    if options.quick:
        model, wishes = "vectors:quick/quick", Wishes(dimension=DIMENSION)
    for seed in [0] if options.quick else options.seeds:
        experiment = _experiment(options, seed)
        with open_store(options.work / f"seed-{seed}") as store:
            with try_model("lite2", model, wishes) as candidate:
                adopt_model(store, candidate)
            if options.quick:
                _fill(store, experiment)
            found = measure(store, experiment)
        print(json.dumps({"seed": seed, **found, "machine": describe_machine()}))
    return 0


def measure(store: Store, experiment: Experiment) -> dict[str, Any]:
    """Learn what is not learned yet; Recall@1 in percent, and what is between each way and the status quo."""
    outcome = learn_experiment(store, experiment, ignore_progress)
    new = store.versions.get(outcome.versions[-1])
    assert new.parent is not None
    row = store.compatibility.get(new.name, new.parent)
    assert row is not None
    kept = f"embedded-{row.evaluation}"
    before, after = (store.tensors.load(name, kept) for name in (new.parent, new.name))
    evaluation = load_datasets(experiment).evaluation
    asked, held = evaluation.queries.labels, evaluation.gallery.labels
    adapter = store.adapters.load(new.name, new.parent)
    assert adapter is not None
    mapped = adapter.apply(before["gallery"])
    recalled = after["queries"] @ mapped.T
    own = after["queries"] @ after["gallery"].T
    floor = np.partition(recalled, -min(CANDIDATES, recalled.shape[1]), axis=1)[
        :, -min(CANDIDATES, recalled.shape[1]), None
    ]
    ways = {
        "status quo": before["queries"] @ before["gallery"].T,
        "adapter": recalled,
        f"cascade {CANDIDATES}": np.where(recalled >= floor, own, -np.inf),
        "own": own,
    }
    if new.dimension == before["gallery"].shape[1]:
        ways["as they are"] = after["queries"] @ before["gallery"].T
    hits = {way: held[scores.argmax(axis=1)] == asked for way, scores in ways.items()}
    outcomes = {way: Outcome(each, {"recall_at_1": 100 * float(each.mean())}) for way, each in hits.items()}
    compared = compare_pairs(
        [(outcomes[way], outcomes["status quo"]) for way in ways if way != "status quo"], RESAMPLES
    )
    return {
        "recall_at_1": {way: round(100 * float(each.mean()), 2) for way, each in hits.items()},
        "against the status quo": {
            way: found.as_dict()
            for way, found in zip((way for way in ways if way != "status quo"), compared, strict=True)
        },
        "queries": len(asked),
        "entries": len(held),
        "seconds": outcome.seconds,
    }


def _experiment(options: argparse.Namespace, seed: int) -> Experiment:
    if options.quick:
        return parse_experiment(QUICK)
    weights = f"model.trunk.weights={options.models}/lite0.safetensors"
    return load_experiment(FILE, [f"seed={seed}", weights, *options.set])


def _fill(store: Store, experiment: Experiment) -> None:
    """Vectors of all images that somebody might have: they tell classes apart, not well."""
    data = load_datasets(experiment)
    parts = [part for part in (data.training, data.sample, *vars(data.evaluation).values()) if part]
    names = np.concatenate([part.sample_ids for part in parts])
    labels, codes = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(len(labels), DIMENSION))[codes]
    vectors += generator.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    version = store.versions.get("lite2").name
    rows = zip(names, vectors.astype(np.float32), strict=True)
    Entries(store).upsert([Entry(str(name), version, vector) for name, vector in rows])


if __name__ == "__main__":
    run_command(main)
