"""Backfilling curves: Recall@1 of a mixed gallery while its entries are embedded anew, order by order.

    holdfast run experiments/omniglot-5.yaml --store results-store
    python -m experiments.benchmarks.gallery.backfilling --store results-store             # held-out images
    python -m experiments.benchmarks.gallery.backfilling --store results-store --evaluate  # to report

The newest version of the run asks. At the beginning the gallery is by its oldest version, or dealt to all the
older ones; at the end all of it is by the newest. Old entries are met through their adapters, or as they are.
The curves, their areas and the lowest point against the start go to experiments/results/backfilling.

Orders are chosen on the held-out drawers of the training classes; --evaluate is for the final figures.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from experiments.benchmarks.harness.context import current_commit
from experiments.benchmarks.harness.places import EXPERIMENTS, RESULTS
from holdfast.backfill import Candidates, at_random, by_gain, oldest_first
from holdfast.base import DataError
from holdfast.config import Experiment, load_experiment
from holdfast.data import build_stream
from holdfast.evaluation import assign_versions, bootstrap_many, describe_machine
from holdfast.learning import validation_indices
from holdfast.publishing.assessment import Assessment
from holdfast.runs import load_datasets
from holdfast.store import Store, open_store

FIGURES = RESULTS / "backfilling"
SHARES = np.linspace(0, 1, 21)
SEEDS = 3
PROBED = 512
"""Entries of each version whose images the learned order looks at first."""
RIDGE = 1.0
COLOURS = {"gain": "#c2410c", "learned": "#a21caf", "oldest": "#2563eb", "random": "#6b7280"}


@dataclass(frozen=True, eq=False)
class Material:
    """What the versions of a run, oldest first, make of the same images.

    Attributes:
        queries: float32 (q, d), by the newest version; query_labels (q,).
        galleries: by version number, float32 (n, d_v): the entries as that version embeds them; labels (n,).
        mapped: by version number, the entries as they are after the adapter to the newest version.
        cross_tests: by version number, what was measured of the newest version's queries.
    """

    queries: np.ndarray
    query_labels: np.ndarray
    galleries: dict[int, np.ndarray]
    labels: np.ndarray
    mapped: dict[int, np.ndarray]
    cross_tests: dict[int, float]


def gather(store: Store, experiment: Experiment, evaluate: bool) -> Material:
    """Embeddings as the run left them; embedded now where they are missing."""
    names = [version.name for version in store.versions.list() if version.run == experiment.name]
    if len(names) < 2:
        raise DataError(f"{store.where} holds {len(names)} versions of {experiment.name!r}: two are needed.")
    data = load_datasets(experiment)
    tasks = build_stream(experiment.stream, data.training, experiment.seed)
    assessment = Assessment(store, data, tasks, experiment.evaluation, experiment.seed)
    embedded = {int(name[1:]): assessment.embedded(name) for name in names}
    newest = names[-1]
    if evaluate:
        query_labels, labels = data.evaluation.queries.labels, data.evaluation.gallery.labels
        queries = embedded[int(newest[1:])].queries
        galleries = {number: each.gallery for number, each in embedded.items()}
    else:
        held_out = data.training.labels[validation_indices(tasks)]
        asks = np.arange(len(held_out)) % 4 == 0
        query_labels, labels = held_out[asks], held_out[~asks]
        queries = embedded[int(newest[1:])].validation[asks]
        galleries = {number: each.validation[~asks] for number, each in embedded.items()}
    mapped, cross_tests = {}, {}
    for name in names[:-1]:
        adapter, measured = store.adapters.load(newest, name), store.compatibility.get(newest, name)
        if adapter is not None:
            mapped[int(name[1:])] = adapter.apply(galleries[int(name[1:])])
        if measured is not None:
            cross_tests[int(name[1:])] = measured.value
    return Material(queries, query_labels, galleries, labels, mapped, cross_tests)


def curves(material: Material, dealt: bool, through: bool, seed: int) -> dict[str, np.ndarray]:
    """By order, whether each query finds its class first at each share: bool (shares, q)."""
    *older, newest = sorted(material.galleries)
    count = len(material.labels)
    owner = np.full(count, older[0])
    if dealt:
        owner = np.array(older)[assign_versions(material.labels, len(older), seed)]
    met = material.mapped if through else material.galleries
    after = material.galleries[newest]
    before = np.empty_like(after)
    for number in older:
        before[owner == number] = met[number][owner == number]
    # Older versions wrote first.
    written = np.lexsort((np.random.default_rng(seed).random(count), owner))
    candidates = Candidates(np.empty(count, np.int64), owner)
    candidates.seqs[written] = np.arange(1, count + 1)
    worst = np.array([material.cross_tests.get(int(number), -np.inf) for number in owner])
    orders = {
        "gain": by_gain(candidates, material.cross_tests),
        # Within a version what is told to move farthest, after FastFill (Jaeckle et al., ICLR 2023).
        "learned": np.lexsort((-learned_change(owner, before, after, seed), worst)),
        "oldest": oldest_first(candidates),
        "random": at_random(candidates, seed),
    }
    old, new = material.queries @ before.T, material.queries @ after.T
    return {name: follow(material, order, old, new) for name, order in orders.items()}


def learned_change(owner: np.ndarray, before: np.ndarray, after: np.ndarray, seed: int) -> np.ndarray:
    """How far each entry will move, 1 less the cosine, by a ridge regression on a sample of each version."""
    change = np.zeros(len(owner), np.float32)
    for number in np.unique(owner):
        own = np.flatnonzero(owner == number)
        drawn = np.random.default_rng(seed).permutation(own)[:PROBED]
        features, moved = _features(before[drawn]), 1.0 - np.einsum("ij,ij->i", before[drawn], after[drawn])
        gram = features.T @ features + RIDGE * np.eye(features.shape[1])
        change[own] = _features(before[own]) @ np.linalg.solve(gram, features.T @ moved)
    return change


def _features(vectors: np.ndarray) -> np.ndarray:
    rows = vectors.astype(np.float64)
    return np.concatenate([rows, rows**2, np.ones((len(rows), 1))], axis=1)


def follow(material: Material, order: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Whether each query finds its class first, bool (shares, q), while entries move in this order."""
    products, at, hits = old.copy(), 0, []
    for share in SHARES:
        to = round(share * len(order))
        products[:, order[at:to]] = new[:, order[at:to]]
        at = to
        hits.append(material.labels[products.argmax(axis=1)] == material.query_labels)
    return np.stack(hits)


def summarize(runs: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """By order: the mean curve, its area, both in percent, and its lowest point less its start, with the 95 %
    interval over queries of the first seed's."""
    summary: dict[str, Any] = {}
    for name in COLOURS:
        curve = 100 * np.mean([run[name].mean(axis=1) for run in runs], axis=0)
        hits = runs[0][name].astype(np.float64)
        changes = bootstrap_many(100 * (hits - hits[0]), seed=0)
        lowest = min(changes[1:], key=lambda interval: interval.mean)
        paired = np.stack([100 * (run[name].mean(axis=0) - run["random"].mean(axis=0)) for run in runs])
        against = bootstrap_many(paired.mean(axis=0)[None])[0]
        summary[name] = {
            "curve": curve.tolist(),
            "area": float(np.trapezoid(curve, SHARES)),
            "against_random": [against.mean, against.low, against.high],
            "lowest_less_start": [lowest.mean, lowest.low, lowest.high],
        }
    return summary


def draw(figures: dict[str, dict[str, Any]], file: Path) -> None:
    """One panel a gallery."""
    with matplotlib.rc_context({"font.size": 8, "svg.hashsalt": "holdfast", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(1, len(figures), figsize=(3.4 * len(figures), 2.8), squeeze=False)
        for axis, (title, summary) in zip(axes[0], figures.items(), strict=True):
            for name, colour in COLOURS.items():
                label = f"{name}, area {summary[name]['area']:.2f}"
                axis.plot(100 * SHARES, summary[name]["curve"], color=colour, label=label, linewidth=1.4)
            axis.set(title=title, xlabel="entries embedded anew, %", ylabel="Recall@1, %")
            axis.spines[["top", "right"]].set_visible(False)
            axis.legend(frameon=False, loc="lower right")
        figure.tight_layout()
        figure.savefig(file, metadata={"Date": None})
        plt.close(figure)


def markdown(figures: dict[str, dict[str, Any]], described: str) -> str:
    lines = [
        "| gallery at the start | order | start | area | end | area against random | lowest less start |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for title, summary in figures.items():
        for name, row in summary.items():
            curve = row["curve"]
            spans = [
                "{:+.2f} ({:+.2f} to {:+.2f})".format(*row[key])
                for key in ("against_random", "lowest_less_start")
            ]
            lines.append(
                f"| {title} | {name} | {curve[0]:.1f} | {row['area']:.2f} | {curve[-1]:.1f} "
                f"| {' | '.join(spans)} |"
            )
    return "\n".join([*lines, "", described, ""])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True)
    parser.add_argument("--experiment", type=Path, default=EXPERIMENTS / "omniglot-5.yaml")
    parser.add_argument("--set", action="append", default=[], dest="overrides", help="as for holdfast run")
    parser.add_argument("--evaluate", action="store_true", help="the evaluation images: for final figures")
    parser.add_argument("--results", type=Path, default=FIGURES)
    chosen = parser.parse_args(arguments)
    experiment = load_experiment(chosen.experiment, chosen.overrides)
    with open_store(chosen.store, create=False) as store:
        material = gather(store, experiment, chosen.evaluate)
    oldest = min(material.galleries)
    settings: list[tuple[str, Callable[[int], dict[str, np.ndarray]]]] = []
    for through, how in ((True, "through adapters"), (False, "as they are")):
        if through and len(material.mapped) < len(material.galleries) - 1:
            continue
        for dealt, whose in ((False, f"v{oldest}"), (True, "all older versions")):
            settings.append((f"{whose}, {how}", partial(curves, material, dealt, through)))
    figures = {title: summarize([measure(seed) for seed in range(SEEDS)]) for title, measure in settings}
    images = "evaluation images" if chosen.evaluate else "held-out training images"
    machine = describe_machine()
    described = (
        f"{experiment.name}, {images}; {len(material.query_labels):,} queries, {len(material.labels):,} "
        f"entries; {SEEDS} seeds; {machine['processor']}, commit {current_commit()}."
    )
    chosen.results.mkdir(parents=True, exist_ok=True)
    name = "evaluation" if chosen.evaluate else "held-out"
    (chosen.results / f"{name}.json").write_text(
        json.dumps({"described": described, "shares": SHARES.tolist(), "figures": figures}, indent=1)
    )
    (chosen.results / f"{name}.md").write_text(markdown(figures, described))
    draw(figures, chosen.results / f"{name}.svg")
    sys.stdout.write(markdown(figures, described))


if __name__ == "__main__":
    main()
