"""What a sequence learns from and is measured on, told by content, and how it differs from before.

Where images lie and when they were touched is no part of it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from holdfast.data import ImageSet, Task, number_classes
from holdfast.learning.datasets import Datasets
from holdfast.models import ModelConfig

Contents = dict[str, Any]
"""Plain values: part -> `fingerprint` and `classes`, of which each is [images, digest of their ids]; and
`stream` -> digest of the tasks; and `weights` -> digest of those with which the trunk begins."""
_NAMED = 5
_UNSEEN = "other pixels or groups, or another order, under the same names"


def describe_contents(data: Datasets) -> Contents:
    """What there is now. Reads no pixel: the fingerprints know them."""
    evaluation = data.evaluation
    parts = {"training": data.training, "queries": evaluation.queries, "gallery": evaluation.gallery}
    if data.source is not None:
        parts["training, as the source reads it"] = data.source
    return {name: _describe(part) for name, part in parts.items()}


def outline_contents(contents: Contents) -> Contents:
    """What fits into a version's record: for each part its `fingerprint`, and how many `classes` and
    `images`."""
    return {
        part: {
            "fingerprint": described["fingerprint"],
            "classes": len(described["classes"]),
            "images": sum(count for count, _ in described["classes"].values()),
        }
        for part, described in contents.items()
    }


def describe_stream(tasks: Sequence[Task]) -> Contents:
    """How the training images are dealt, which a manifest says as well as the data."""
    dealt = hashlib.sha256()
    for task in tasks:
        for positions in (task.train, task.validation):
            dealt.update(len(positions).to_bytes(8) + positions.astype("<i8").tobytes())
    return {"stream": dealt.hexdigest()}


def describe_weights(model: ModelConfig) -> Contents:
    """The weights with which the trunk begins."""
    digest = model.weights_digest
    return {} if digest is None else {"weights": digest}


def find_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs, one clause for each part; empty where all that both describe is the same."""
    parts = [part for part in now if part not in ("stream", "weights") and part in before]
    changed = [part for part in parts if before[part]["fingerprint"] != now[part]["fingerprint"]]
    said = {part: _compare(before[part]["classes"], now[part]["classes"]) for part in changed}
    if said.get("queries") or said.get("gallery"):
        # The two are dealt from one set of images, whose fingerprint is in both of theirs.
        said = {part: what for part, what in said.items() if what or part not in ("queries", "gallery")}
    if not said and "stream" in now and before["stream"] != now["stream"]:
        return ["stream: the tasks have other images than before (has stream.manifest changed?)"]
    changes = [f"{part}: {what or _UNSEEN}" for part, what in said.items()]
    if "stream" in now and before.get("weights") != now.get("weights"):
        changes.append("model.trunk.weights: other weights")
    return changes


def _describe(images: ImageSet) -> Contents:
    labels, codes, _ = number_classes(images.labels)
    order = np.lexsort((images.sample_ids, codes))
    # The first part is of no class, and empty; so is all of a trial's evaluation.
    members = np.split(order, np.searchsorted(codes[order], np.arange(len(labels))))[1:]
    classes = {
        str(label): [len(rows), hashlib.sha256("\0".join(images.sample_ids[rows]).encode()).hexdigest()]
        for label, rows in zip(labels, members, strict=True)
    }
    return {"fingerprint": images.fingerprint, "classes": classes}


def _compare(before: Mapping[str, Sequence[Any]], now: Mapping[str, Sequence[Any]]) -> str:
    """How the classes differ; empty where they have the same images by name."""
    new, gone = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    both = sorted(before.keys() & now.keys())
    resized = [name for name in both if before[name][0] != now[name][0]]
    replaced = [name for name in both if before[name][0] == now[name][0] and before[name][1] != now[name][1]]
    said = []
    for names, what in ((new, "new"), (gone, "gone"), (resized, "larger or smaller"), (replaced, "replaced")):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            noun = "class is" if len(names) == 1 else "classes are"
            said.append(f"{len(names)} {noun} {what} ({', '.join(names[:_NAMED])}{more})")
    counts = [sum(each[0] for each in classes.values()) for classes in (before, now)]
    if counts[0] != counts[1]:
        said.append(f"{counts[1]} images instead of {counts[0]}")
    return ", ".join(said)
