"""`holdfast run` over its life: finished, started over, and followed by another run in the same store."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import open_store

Holdfast = Callable[..., Any]
Write = Callable[..., Path]
REPORTED = {
    "experiment", "seed", "versions", "recall_at_1", "map_at_r", "intervals", "ac", "am", "forgetting",
    "per_task_recall_at_1", "images_per_second", "seconds", "machine",
}  # fmt: skip


def contracts(store: Path) -> dict[str, str]:
    with open_store(store) as opened:
        return {version.name: version.contract for version in opened.versions.list()}


def parents(store: Path) -> dict[str, str | None]:
    with open_store(store) as opened:
        return {version.name: version.parent for version in opened.versions.list()}


def test_a_run_leaves_a_report_with_all_that_others_rely_on(learned: Path) -> None:
    page = (learned / "runs" / "tiny" / "report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html")
    report = json.loads((learned / "runs" / "tiny" / "report.json").read_text())
    assert set(report) >= REPORTED
    assert report["versions"] == ["v1", "v2"]
    for matrix in ("recall_at_1", "map_at_r", "intervals"):
        assert [len(row) for row in report[matrix]] == [2, 2]
    for row, interval in zip(report["recall_at_1"], report["intervals"], strict=True):
        for value, (low, high) in zip(row, interval, strict=True):
            assert 0 <= low <= value <= high <= 100


def test_a_finished_run_says_so(holdfast: Holdfast, write: Write, learned: Path) -> None:
    before = contracts(learned)
    outcome = holdfast("run", write(), "--store", learned)
    assert outcome.code == 0
    assert "'tiny' (v1, v2) is already finished" in outcome.err
    assert str(learned / "runs" / "tiny" / "report.html") in outcome.err
    report = json.loads((learned / "runs" / "tiny" / "report.json").read_text())
    assert report["verdict"] in outcome.err
    assert contracts(learned) == before


def test_json_is_the_report(holdfast: Holdfast, write: Write, learned: Path) -> None:
    outcome = holdfast("run", write(), "--store", learned, "--json")
    assert outcome.json == json.loads((learned / "runs" / "tiny" / "report.json").read_text())


def test_fresh_starts_over_from_the_same_parent_to_the_same_weights(
    holdfast: Holdfast, write: Write, learned: Path
) -> None:
    assert holdfast("run", write(), "--store", learned, "--fresh").code == 0
    made = contracts(learned)
    assert list(made) == ["v1", "v2", "v3", "v4"]
    assert (made["v3"], made["v4"]) == (made["v1"], made["v2"])
    assert parents(learned) == {"v1": None, "v2": "v1", "v3": None, "v4": "v3"}


def test_another_seed_gives_other_weights(holdfast: Holdfast, write: Write, learned: Path) -> None:
    assert holdfast("run", write(name="other", parent="none", seed=4), "--store", learned).code == 0
    made = contracts(learned)
    assert len(set(made.values())) == len(made) == 4


def test_a_second_experiment_continues_the_lineage(holdfast: Holdfast, write: Write, learned: Path) -> None:
    outcome = holdfast("run", write(name="second"), "--store", learned, "--json")
    assert parents(learned) == {"v1": None, "v2": "v1", "v3": "v2", "v4": "v3"}
    assert outcome.json["versions"] == ["v1", "v2", "v3", "v4"]
    # Its first task has the run's own parent again when it starts over.
    assert holdfast("run", write(name="second"), "--store", learned, "--fresh").code == 0
    assert parents(learned)["v5"] == "v2"
    assert contracts(learned)["v5"] == contracts(learned)["v3"]


def test_parent_none_begins_a_lineage_of_its_own(holdfast: Holdfast, write: Write, learned: Path) -> None:
    outcome = holdfast("run", write(name="alone", parent="none"), "--store", learned, "--json")
    assert parents(learned) == {"v1": None, "v2": "v1", "v3": None, "v4": "v3"}
    assert outcome.json["versions"] == ["v3", "v4"]
    # The same experiment but for its name: the same weights.
    assert contracts(learned)["v4"] == contracts(learned)["v2"]


def test_the_same_name_for_another_experiment_is_refused(
    holdfast: Holdfast, write: Write, learned: Path
) -> None:
    sentence = holdfast("run", write(seed=5), "--store", learned).sentence
    assert "'tiny'" in sentence
    assert "--fresh" in sentence
    assert list(contracts(learned)) == ["v1", "v2"]


def test_update_gain_against_a_control(holdfast: Holdfast, write: Write, learned: Path) -> None:
    control = write(
        "c.yaml", name="c", parent="none", regularizers=[], learning__initialization="independent"
    )
    assert holdfast("run", control, "--store", learned).code == 0
    outcome = holdfast("evaluate", write(), "--store", learned, "--control", "c", "--json")
    assert outcome.json["control"] == "c"
    assert outcome.json["update_gain"]


def test_a_real_process_runs_and_refuses(write: Write, tmp_path: Path) -> None:
    """What the in-process tests cannot show: the entry point, the streams and the exit codes."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "holdfast", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600)

    done = call("run", write(), "--store", tmp_path / "store", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["versions"] == ["v1", "v2"]
    assert "task 1/2" in done.stderr
    refused = call("run", tmp_path / "missing.yaml", "--store", tmp_path / "store")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert "missing.yaml" in refused.stderr


@pytest.mark.parametrize("where", ["option", "variable"])
def test_the_store_may_be_named_by_a_variable(
    holdfast: Holdfast, learned: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "variable":
        monkeypatch.setenv("HOLDFAST_STORE", str(learned))
    option = ["--store", learned] if where == "option" else []
    assert [row["id"] for row in holdfast("versions", "--json", *option).json] == ["v1", "v2"]
