"""`holdfast distill` and `holdfast export`, from experiment file to file, and what they refuse."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import open_store

Holdfast = Callable[..., Any]
Write = Callable[..., Path]
SMALL = {
    "name": "small",
    "stream": {"tasks": 1},
    "model": {"dimension": 16, "width": 0.125, "preprocessing": {"size": 12, "view": "edges"}},
    "regularizers": [],
    "distillation": {"source": "v2"},
}


def test_distill_then_export(holdfast: Holdfast, write: Write, learned: Path, tmp_path: Path) -> None:
    file = write("small.yaml", **SMALL)
    done = holdfast("distill", file, "--store", learned)
    assert done.code == 0, done.err
    assert "v3, distilled from v2" in done.err
    assert "right in the gallery of v2" in done.err
    assert "of v2." in done.err
    again = holdfast("distill", file, "--store", learned, "--json")
    assert again.json["version"] == "v3"
    assert again.json["already_finished"]
    assert again.json["measured"]["versions"] == ["v1", "v2", "v3"]

    output = tmp_path / "small.pt2"
    exported = holdfast("export", "v3", "-o", output, "--store", learned, "--json").json
    assert exported["size"] == output.stat().st_size
    assert exported["difference"] <= 1e-4
    assert exported["source"]["version"] == "v2"
    assert exported["source"]["parameters"] > exported["parameters"]
    shown = holdfast("export", "v3", "-o", output, "--store", learned)
    assert shown.code == 0
    assert "one core" in shown.err
    assert str(output) in shown.err.replace("\n", "")


@pytest.mark.parametrize(
    ("verb", "changes", "said"),
    [
        ("distill", {"model": {"dimension": 8}}, ["model.dimension is 8", "must be 16"]),
        ("distill", {"distillation": {"source": "v7"}}, ["no version 'v7'", "v1, v2"]),
        ("distill", {"distillation": {"imitation": 0}}, ["distillation.imitation", "greater than 0"]),
        ("distill", {"distillation": None}, ["no section 'distillation'", "holdfast run"]),
        ("distill", {"stream": {"tasks": 2}}, ["stream.tasks is 2", "must be 1"]),
        ("run", {}, ["holdfast distill"]),
    ],
)
def test_refusals(
    holdfast: Holdfast, write: Write, learned: Path, verb: str, changes: dict[str, Any], said: list[str]
) -> None:
    sentence = holdfast(verb, write("small.yaml", **{**SMALL, **changes}), "--store", learned).sentence
    for part in said:
        assert part in sentence
    with open_store(learned) as opened:
        assert [version.name for version in opened.versions.list()] == ["v1", "v2"]
        assert "small" not in {run.name for run in opened.runs.list()}


@pytest.mark.parametrize(
    ("adversarial", "said"),
    [
        ({"kind": "pgd", "epsilon": 4}, ["epsilon is 4", "above 0 and up to 1"]),
        ({"kind": "fgsm", "norm": "l2", "epsilon": 17}, ["epsilon is 17", "up to 16"]),
        ({"kind": "noise", "epsilon": -0.1}, ["epsilon", "greater than 0"]),
        ({"kind": "cw"}, ["'fgsm', 'pgd', 'noise'"]),
    ],
)
def test_an_epsilon_outside_the_pixel_range_is_refused_and_can_be_mended_under_the_same_name(
    holdfast: Holdfast, write: Write, tmp_path: Path, adversarial: dict[str, Any], said: list[str]
) -> None:
    sentence = holdfast("run", write(learning__adversarial=adversarial), "--store", tmp_path / "s").sentence
    for part in said:
        assert part in sentence
    if (tmp_path / "s").exists():
        with open_store(tmp_path / "s") as opened:
            assert opened.runs.list() == []
