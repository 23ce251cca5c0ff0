"""Example searches for the report: a query's picture and those of its five nearest entries."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from holdfast.evaluation.retrieval import Scores


def thumbnail(image: np.ndarray, side: int = 64) -> bytes:
    """A uint8 picture, (c, h, w) with c 1 or 3, or (h, w), as PNG bytes: at most `side` a side."""
    pixels = np.asarray(image)
    if pixels.ndim == 3:
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def example_queries(
    query_images: np.ndarray,
    query_labels: np.ndarray,
    gallery_images: np.ndarray,
    gallery_labels: np.ndarray,
    scores: Scores,
    embedded_by: Sequence[str],
    count: int = 8,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Up to `count` searches for `Report.examples`, drawn at random: half right at first rank, half wrong.

    Images are uint8 (q, c, h, w) and (n, c, h, w), and only the chosen ones are read; `embedded_by` names the
    version of each of the n entries. Where one half has too few queries the other fills up.
    """
    order = np.random.default_rng(seed).permutation(len(scores))
    right = scores.recall_at_1[order] > 0
    rights, wrongs = order[right], order[~right]
    wanted = min(len(wrongs), max(count // 2, count - len(rights)))
    chosen = [*rights[: count - wanted], *wrongs[:wanted]]
    return [
        {
            "query_png": thumbnail(query_images[query]),
            "query_label": str(query_labels[query]),
            "hits": [
                {
                    "png": thumbnail(gallery_images[entry]),
                    "label": str(gallery_labels[entry]),
                    "score": float(similarity),
                    "embedded_by": str(embedded_by[entry]),
                    "right": bool(gallery_labels[entry] == query_labels[query]),
                }
                for entry, similarity in zip(scores.top[query], scores.similarity[query], strict=True)
                if entry >= 0
            ],
        }
        for query in chosen
    ]
