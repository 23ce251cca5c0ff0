"""Embeddings with a known structure, and a report over several versions of them."""

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from holdfast.evaluation import (
    Report,
    Scores,
    average_compatibility,
    average_multimodel_accuracy,
    bootstrap_many,
    compare_pair,
    deal,
    example_queries,
    forgetting,
    negative_flips,
    score,
    summarize_mixed,
    update_gains,
)


def in_one_space(
    galleries: Iterable[np.ndarray], labels: np.ndarray, versions: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A mixed gallery of versions that share a space: vectors (n, d), and who embedded each."""
    shares, assignment = deal(galleries, labels, versions, seed)
    mixed = np.empty((len(labels), shares[0].shape[1]), shares[0].dtype)
    for version, share in enumerate(shares):
        mixed[assignment == version] = share
    return mixed, assignment


@pytest.fixture(scope="session")
def mix() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return in_one_space


class Lineage:
    """Versions of one encoder: the same classes, a little less noise and a little more drift in each."""

    def __init__(self, versions: int, drift: float = 0.03, classes: int = 12, dimension: int = 16) -> None:
        generator = np.random.default_rng(3)
        self.names = [f"v{v + 1}" for v in range(versions)]
        self.query_labels = np.repeat(np.arange(classes), 5)
        self.gallery_labels = np.repeat(np.arange(classes), 15)
        labels = np.concatenate([self.query_labels, self.gallery_labels])
        centres = generator.normal(size=(classes, dimension))
        noise = generator.normal(size=(len(labels), dimension))
        frame = np.eye(dimension)
        self.queries, self.gallery = [], []
        for version in range(versions):
            frame = frame + drift * generator.normal(size=frame.shape)
            vectors = (centres[labels] + (1.5 - 0.05 * version) * noise) @ frame
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
            self.queries.append(vectors[: len(self.query_labels)])
            self.gallery.append(vectors[len(self.query_labels) :])

    def scores(self) -> list[list[Scores]]:
        return [
            [score(queries, self.query_labels, gallery, self.gallery_labels) for gallery in self.gallery]
            for queries in self.queries
        ]


@pytest.fixture(scope="session")
def lineage() -> Callable[..., Lineage]:
    return Lineage


@pytest.fixture(scope="session")
def make_report(lineage: Callable[..., Lineage]) -> Callable[..., Report]:
    """A whole report, computed and not made up, over `versions` versions."""

    def make(versions: int, **changes: object) -> Report:
        line = lineage(versions)
        scores = line.scores()
        outcomes = [[s.outcome() for s in row] for row in scores]
        percent = {
            name: [[s.percent()[name] for s in row] for row in scores]
            for name in ("recall_at_1", "recall_at_5", "map_at_r")
        }
        entries, assignment = in_one_space(line.gallery, line.gallery_labels, versions)
        mixed = [score(q, line.query_labels, entries, line.gallery_labels) for q in line.queries]
        steps = range(versions)
        per_task = [[90.0 - 2 * (i - j) if j <= i else None for j in steps] for i in steps]
        hits = [[s.recall_at_1 for s in row] for row in scores]
        shape = (len(line.gallery_labels), 1, 28, 28)
        pictures = np.random.default_rng(0).integers(0, 255, size=shape, dtype=np.uint8)
        report = Report(
            name="lineage",
            versions=line.names,
            **percent,
            experiment={"name": "lineage", "seed": 0, "stream": {"tasks": versions}},
            intervals=[
                [[100 * b.low, 100 * b.high] for b in bootstrap_many(np.stack([s.recall_at_1 for s in row]))]
                for row in scores
            ],
            ac=average_compatibility(percent["recall_at_1"]),
            am=average_multimodel_accuracy(percent["recall_at_1"]),
            forgetting=forgetting(per_task),
            per_task_recall_at_1=per_task,
            update_gain=update_gains(percent["recall_at_1"], [95.0] * versions),
            control="independent",
            negative_flips=[
                [100 * negative_flips(hits[j][j], hits[i][j]) if j < i else None for j in steps]
                for i in steps
            ],
            compatible=[
                [compare_pair(outcomes[i][j], outcomes[min(i, j)][min(i, j)]).as_dict() for j in steps]
                for i in steps
            ],
            mixed=summarize_mixed(line.names, mixed, assignment, outcomes[0][0], outcomes[-1][-1]),
            images_per_second=1234.5,
            seconds={"learn": 12.0, "evaluate": 0.4},
            machine={"processor": "a processor", "cores": 2},
            examples=example_queries(
                pictures,
                line.query_labels,
                pictures,
                line.gallery_labels,
                mixed[-1],
                np.array(line.names)[assignment],
                count=6,
            ),
        )
        return Report(**{**vars(report), **changes})

    return make
