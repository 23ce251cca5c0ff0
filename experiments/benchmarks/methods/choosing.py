"""Choosing each method's weights, on validation classes only.

Every fifth group of the training images is held out, since evaluation too is on groups that no task has
seen; the five-task stream is learned on the others, and the held-out classes are searched as the evaluation
classes would be. The score of a trial is the
mean of the last version's self-test and of the mean cross-test over all pairs (Recall@1). Every method gets
the same number of trials; the best becomes its setting in all benchmarks.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks.harness.cells import Cells, Name
from experiments.benchmarks.harness.places import RESULTS
from experiments.benchmarks.methods.protocols import CHOOSE, Protocol
from experiments.benchmarks.methods.recipes import Method, Term
from experiments.benchmarks.methods.work import CHOOSING_SEED, Job, make_job

Chosen = dict[str, Any]


def trial_jobs(protocol: Protocol, methods: Sequence[Method], count: int) -> list[Job]:
    """One cell a trial; the trial's number stands where a seed would."""
    jobs = []
    for method in methods:
        for number, terms in enumerate(method.trials(count)):
            jobs.append(make_job(protocol, method, CHOOSING_SEED, terms, trial=number))
    return jobs


def trial_score(record: Mapping[str, Any]) -> float | None:
    """Mean of the final self-test and the mean cross-test, percent; None where nothing was measured."""
    if "rows" not in record:
        return None
    row = record["rows"][""]
    return (float(row["self_last"]) + float(row["cross"])) / 2


def choose(cells: Cells, jobs: Sequence[Job], methods: Sequence[Method], count: int, file: Path) -> Chosen:
    """The best trial of every method whose trials are all there, merged into `file`."""
    chosen = read_chosen(file)
    for method in methods:
        mine = [job for job in jobs if job.method.name == method.name]
        trials: list[dict[str, Any]] = []
        for job, terms in zip(mine, method.trials(count), strict=True):
            record = cells.record(Name(CHOOSE, method.name, job.name.seed))
            if record is None or record.get("id") != job.id:
                break
            trials.append({"terms": list(terms), "score": trial_score(record)})
        scored = [trial for trial in trials if trial["score"] is not None]
        if len(trials) == len(mine) and scored:
            best = max(scored, key=lambda trial: trial["score"])
            chosen[method.name] = best
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(best)}" for name, best in chosen.items())
    partial.write_text(f"{{\n{lines}\n}}\n")
    partial.replace(file)
    return chosen


def chosen_file(results: Path) -> Path:
    """Beside this file for the results of the repository: what was chosen is a setting of the benchmark."""
    return Path(__file__).with_name("chosen.json") if results.parent == RESULTS else results / "chosen.json"


def read_chosen(file: Path) -> Chosen:
    """What was chosen, by method; nothing where nothing was."""
    return json.loads(file.read_text()) if file.is_file() else {}


def chosen_terms(chosen: Chosen, method: Method) -> list[Term] | None:
    """The chosen terms, unless the method has other ones by now."""
    found = chosen.get(method.chosen_as or method.name)
    if found is None or [term["kind"] for term in found["terms"]] != [term["kind"] for term in method.terms]:
        return None
    if not method.chosen_as:
        return list(found["terms"])
    return [{**own, "weight": term["weight"]} for own, term in zip(method.terms, found["terms"], strict=True)]
