"""Check that the entries are what they should be."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from holdfast.base import bad_norms, explain_norm, version_number
from holdfast.store import Changes

SHOWN = 100  # problems that a report spells out


@dataclass(frozen=True)
class VerifyReport:
    """What was found. `problems` names the first 100 of `problem_count`; `remarks` says what was looked at
    beside the entries, and what was not."""

    entries: int
    deleted: int
    by_version: dict[str, int]
    last_seq: int
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.problem_count == 0

    def with_served(self, answer: Mapping[str, Any], server: str) -> "VerifyReport":
        """With what a server has answered about its index."""
        found = Problems()
        found.count = answer["problem_count"]
        found.shown = [f"The index of {server}: {problem}" for problem in answer["problems"]]
        remark = f"The index of {server} ({answer['index']}) was compared; it is at write {answer['seq']:,}."
        return replace(self.joined(found), remarks=[*self.remarks, remark])

    def joined(self, found: "Problems") -> "VerifyReport":
        """With further problems."""
        shown = (self.problems + found.shown)[:SHOWN]
        return replace(self, problem_count=self.problem_count + found.count, problems=shown)


class Problems:
    """Counts all problems and keeps the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[str] = []

    def add(self, problem: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN:
            self.shown.append(problem)


def verify_rows(chunks: Iterable[Changes], dimensions: Mapping[str, int]) -> VerifyReport:
    """Check every vector (dimension, finite, unit norm) and all attributes (JSON object)."""
    problems = Problems()
    by_version: Counter[str] = Counter()
    deleted = last = 0
    for changes in chunks:
        last = changes.seqs[-1]
        vectors: dict[str, list[int]] = {}
        for position, vector in enumerate(changes.vectors):
            identifier, version = changes.ids[position], changes.versions[position]
            if vector is None:
                deleted += 1
                continue
            by_version[version] += 1
            if not _is_object(changes.attributes[position]):
                problems.add(f"The attributes of {identifier!r} are no JSON object.")
            if len(vector) == 4 * dimensions[version]:
                vectors.setdefault(version, []).append(position)
            else:
                problems.add(
                    f"The vector of {identifier!r} has {len(vector)} bytes: {version} makes "
                    f"{4 * dimensions[version]}."
                )
        for positions in vectors.values():
            matrix = as_matrix(changes, positions)
            for row in bad_norms(matrix):
                problems.add(explain_norm(f"of {changes.ids[positions[row]]!r}", matrix[row]))
    counts = dict(sorted(by_version.items(), key=lambda item: version_number(item[0])))
    return VerifyReport(sum(counts.values()), deleted, counts, last, problems.count, problems.shown)


def as_matrix(changes: Changes, positions: list[int]) -> np.ndarray:
    """float32 (n, d) of rows of one dimension."""
    blob = b"".join([changes.vectors[position] or b"" for position in positions])
    return np.frombuffer(blob, "<f4").reshape(len(positions), -1)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
