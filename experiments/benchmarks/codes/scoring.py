"""Figures of full rankings."""

import numpy as np

from experiments.benchmarks.codes.coders import Scorer

PRECISE = 65_535
"""What an average precision of 1 is kept as."""
METRICS = {"map": "mAP", "precision_at_5": "P@5", "recall_at_1": "R@1"}
_BLOCK = 128  # queries that are ranked at a time


def score_all(scorer: Scorer, query_labels: np.ndarray, gallery_labels: np.ndarray) -> dict[str, np.ndarray]:
    """Of every query, float32 (q,), 0 to 1.

    map: the precision at each entry of the query's class, mean over them, in the ranking of all entries.
    precision_at_5: the share of the first five that are of its class. recall_at_1: whether the first is.
    Equal scores rank by position.
    """
    count = len(query_labels)
    found = {name: np.zeros(count, np.float32) for name in METRICS}
    ranks = np.arange(1, len(gallery_labels) + 1)
    for start in range(0, count, _BLOCK):
        rows = slice(start, min(start + _BLOCK, count))
        order = np.argsort(-scorer(rows), axis=1, kind="stable")
        hits = gallery_labels[order] == query_labels[rows, None]
        precision = np.cumsum(hits, axis=1) / ranks
        relevant = np.maximum(hits.sum(axis=1), 1)
        found["map"][rows] = (precision * hits).sum(axis=1) / relevant
        found["precision_at_5"][rows] = hits[:, :5].mean(axis=1)
        found["recall_at_1"][rows] = hits[:, 0]
    return found
