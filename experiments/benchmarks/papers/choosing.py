"""Choosing the weights of the rows, on training images alone.

Each class's training images are divided: three fifths are learned, one fifth asks, one fifth answers. All
weights of a row are moved together over four orders of magnitude. The score is a mean of what pulls apart: on
streams the last version's recall on the classes of all earlier tasks and on those of the last, on upgrades
the cross-test and the self-test. What holds everything, and what holds nothing, scores badly. Scores within
half a point of the best are as good: of those the weights nearest to the paper's are taken.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.cells import Cells, Record
from experiments.benchmarks.methods.recipes import Method, Term
from experiments.benchmarks.methods.work import Job
from holdfast.base import whole_file

AS_GOOD = 0.5
"""Points."""

Chosen = dict[str, dict[str, Any]]
"""Benchmark -> row -> its terms, and the scores of all trials."""


def score(record: Record) -> float | None:
    """Percent; None where the trial diverged."""
    if "rows" not in record:
        return None
    row = record["rows"][""]
    held, learned = ("old", "new") if "old" in row else ("cross", "self")
    return (float(row[held]) + float(row[learned])) / 2


def choose(cells: Cells, jobs: Sequence[Job], benchmark: str, chosen: Chosen) -> Chosen:
    """With the best trial of every row whose trials are all there."""
    rows: dict[str, list[Job]] = {}
    for job in jobs:
        rows.setdefault(job.method.name, []).append(job)
    found = dict(chosen.get(benchmark, {}))
    for name, mine in rows.items():
        records = [cells.record(job.name) for job in mine]
        if any(record is None or record["id"] != job.id for record, job in zip(records, mine, strict=True)):
            continue
        scores = [score(record) for record in records if record is not None]
        experiment = mine[nearest_of_best(scores)].experiment
        assert experiment is not None
        terms = [config.model_dump(mode="json") for config in experiment.regularizers]
        found[name] = {"terms": terms, "scores": scores}
    return {**chosen, benchmark: found}


def nearest_of_best(scores: Sequence[float | None]) -> int:
    """Of the trials as good as the best the one nearest to the middle, where the given weights are."""
    known = {place: each for place, each in enumerate(scores) if each is not None}
    best = max(known.values())
    middle = (len(scores) - 1) / 2
    as_good = [place for place, each in known.items() if each >= best - AS_GOOD]
    return min(as_good, key=lambda place: (abs(place - middle), -known[place]))


def read_chosen(file: Path) -> Chosen:
    return json.loads(file.read_text()) if file.is_file() else {}


def write_chosen(file: Path, chosen: Chosen) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for benchmark, found in chosen.items():
        lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(best)}" for name, best in found.items())
        rows.append(f"  {json.dumps(benchmark)}: {{\n{lines}\n  }}")
    with whole_file(file) as draft:
        draft.write_text("{\n" + ",\n".join(rows) + "\n}\n")


def chosen_terms(chosen: Chosen, benchmark: str, method: Method) -> list[Term] | None:
    """What was chosen for a row, unless it has other terms by now."""
    found = chosen.get(benchmark, {}).get(method.name)
    if found is None or [each["kind"] for each in found["terms"]] != [each["kind"] for each in method.terms]:
        return None
    return list(found["terms"])
