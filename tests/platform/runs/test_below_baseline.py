"""A version that is surely worse than doing nothing is kept, and not published unless that is asked for."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.base import BelowBaselineError
from holdfast.config import Experiment, parse_experiment
from holdfast.jobs import run_experiment
from holdfast.learning import ignore_progress
from holdfast.runs import RunOutcome
from holdfast.store import Store, open_store
from tests.fixtures.runs import TINY

pytestmark = pytest.mark.long

ONE_TASK = {"tasks": 1, "validation": 0.5}
LONGER = {**TINY["learning"], "epochs": 6}
SPOILING = {**TINY["learning"], "optimizer": {"learning_rate": 1.0}}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that has learned all classes: what its trunk knows is of use."""
    folder = tmp_path_factory.mktemp("known")
    experiment = parse_experiment(
        {**TINY, "name": "before", "stream": {"tasks": 1}, "model": {"dimension": 64}, "learning": LONGER}
    )
    with open_store(folder / "store") as store:
        run_experiment(store, experiment, ignore_progress)
        store.versions.load_encoder("v1").save(folder / "encoder")
    return folder / "encoder"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def over_it(tiny: Callable[..., Experiment], known: Path) -> Callable[..., Experiment]:
    """An experiment over the trunk that knows something."""

    def make(rate: float, **changes: object) -> Experiment:
        trunk = {"kind": "tests.fixtures.trunks:KeptConfig", "weights": str(known)}
        values: dict[str, object] = {
            "stream": ONE_TASK,
            "model": {"trunk": trunk, "dimension": 16},
            "learning": {**TINY["learning"], "optimizer": {"learning_rate": rate}},
        }
        return tiny(**{**values, **changes})

    return make


def validation_of(outcome: RunOutcome) -> list[dict]:
    report = json.loads(outcome.report.with_suffix(".json").read_text())
    return report["validation"]


def test_a_trunk_that_is_spoilt_is_not_published(
    store: Store, over_it: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    experiment = over_it(1.0, learning={**SPOILING, "average": 0.9})
    with pytest.raises(BelowBaselineError) as refused:
        run_experiment(store, experiment, ignore_progress)
    said = str(refused.value)
    assert "of the trunk as it was" in said
    assert "--publish-anyway" in said
    assert "model.trunk.train" in said
    assert store.versions.list() == []

    # What was learned is kept: nothing is learned again, asked for or not.
    def learn_again(*_: object) -> None:
        raise AssertionError("a step was made")

    monkeypatch.setattr("holdfast.learning.learner.Learner._train_step", learn_again)
    with pytest.raises(BelowBaselineError, match="the same command with --publish-anyway") as again:
        run_experiment(store, experiment, ignore_progress)
    assert str(again.value) == said
    outcome = run_experiment(store, experiment, ignore_progress, publish_anyway=True)
    assert outcome.versions == ["v1"]
    (standing,) = validation_of(outcome)[0]["standings"]
    assert (standing["reference"], standing["surely_worse"]) == ("base", True)
    assert f"{standing['value']:.1f} %" in said

    # And it is what would have been published at once.
    monkeypatch.undo()
    with open_store(tmp_path / "other") as other:
        run_experiment(other, experiment, ignore_progress, publish_anyway=True)
        assert store.versions.get("v1").contract == other.versions.get("v1").contract


def test_what_is_learned_with_care_is_published_and_measured_beside_base_and_parent(
    store: Store, over_it: Callable[..., Experiment]
) -> None:
    careful = over_it(3e-3, stream={"tasks": 2, "validation": 0.5})
    wide = careful.model_copy(update={"model": careful.model.model_copy(update={"dimension": 128})})
    outcome = run_experiment(store, wide, ignore_progress)
    first, second = validation_of(outcome)
    assert [(each["reference"], each["held_out"]) for each in first["standings"]] == [
        ("base", False),
        ("base", True),  # the classes of the second task
    ]
    assert [each["reference"] for each in second["standings"]] == ["base", "parent"]
    assert second["standings"][1]["reference_value"] == pytest.approx(first["recall_at_1"])
    assert "Beside doing nothing" in outcome.report.read_text()
    assert store.versions.get("v2").metrics["validation"] == second


def test_a_version_may_not_be_worse_than_its_parent(store: Store, tiny: Callable[..., Experiment]) -> None:
    model = {"dimension": 64}
    whole = tiny(stream=ONE_TASK, model=model, learning=LONGER)
    first = run_experiment(store, whole, ignore_progress)
    assert validation_of(first)[0]["standings"] == []
    spoilt = tiny(name="spoilt", stream=ONE_TASK, model=model, learning=SPOILING)
    with pytest.raises(BelowBaselineError, match=r"of its parent v1.*learning\.optimizer\.learning_rate"):
        run_experiment(store, spoilt, ignore_progress)
    assert [version.name for version in store.versions.list()] == ["v1"]
    alone = tiny(name="control", stream=ONE_TASK, model=model, learning=SPOILING, regularizers=[])
    with pytest.warns(UserWarning, match="without regularizers: on .* below the .* of its parent v1"):
        shown = validation_of(run_experiment(store, alone, ignore_progress))[-1]
    assert shown["standings"][0]["surely_worse"]
