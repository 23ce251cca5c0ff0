"""Every experiment file loads, and the controls differ from what they control as they say."""

import csv
from pathlib import Path

import pytest

from holdfast.config import Experiment, load_experiment, parse_experiment
from holdfast.data import Column, build_stream, load_training
from holdfast.jobs.tuning import apply_values

FOLDER = Path(__file__).parents[2] / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))
BASES = ("quickstart", "omniglot-5", "omniglot-10")


def load(name: str) -> Experiment:
    return load_experiment(FOLDER / f"{name}.yaml")


def decisive(experiment: Experiment) -> dict[str, object]:
    """What a control shares with its experiment."""
    return experiment.model_dump(exclude={"name", "parent", "regularizers", "adapter", "tuning"})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_loads_under_its_own_name_and_survives_being_written_out(file: Path) -> None:
    import yaml

    experiment = load_experiment(file)
    assert experiment.name == file.stem
    again = parse_experiment(yaml.safe_load(experiment.to_yaml()))
    assert again == experiment
    assert again.fingerprint == experiment.fingerprint


def test_all_experiments_of_the_repository_are_here() -> None:
    expected = {f"{base}{control}" for base in BASES for control in ("", "-finetune", "-independent")}
    assert expected <= {file.stem for file in FILES}


@pytest.mark.parametrize("base", BASES)
def test_fine_tuning_differs_only_in_having_nothing_that_ties(base: str) -> None:
    experiment, control = load(base), load(f"{base}-finetune")
    assert experiment.regularizers
    assert control.regularizers == ()
    assert control.adapter is None
    assert control.parent == "none"
    assert control.learning.initialization == "parent"
    assert decisive(control) == decisive(experiment)


@pytest.mark.parametrize("base", BASES)
def test_independent_initialization_differs_from_fine_tuning_only_in_that(base: str) -> None:
    tuned, control = load(f"{base}-finetune"), load(f"{base}-independent")
    assert control.learning.initialization == "independent"
    warm = control.learning.model_copy(update={"initialization": "parent"})
    assert control.model_copy(update={"name": tuned.name, "learning": warm}) == tuned


def test_ten_tasks_differ_from_five_only_in_their_number() -> None:
    five, ten = load("omniglot-5"), load("omniglot-10")
    assert (five.stream.tasks, ten.stream.tasks) == (5, 10)
    stream = ten.stream.model_copy(update={"tasks": 5})
    assert ten.model_copy(update={"name": five.name, "stream": stream}) == five


def test_the_sweep_of_the_quickstart_names_keys_that_exist() -> None:
    experiment = load("quickstart")
    assert experiment.tuning is not None
    for key, where in experiment.tuning.space.items():
        changed = apply_values(experiment, {key: where.low})  # type: ignore[union-attr]
        assert changed.regularizers != experiment.regularizers


def test_the_omniglot_stream_is_the_published_one(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alphabet by alphabet as in omniglot_tasks.csv; drawers 17 to 20 of the own characters are held out."""
    monkeypatch.setenv("HOLDFAST_DATA", str(real_data))
    experiment = load("omniglot-10")
    assert experiment.data.columns == {"drawer": Column(of="sample_id", pattern=r"_(\d+)$")}
    images = load_training(experiment.data, experiment.model.preprocessing)
    tasks = build_stream(experiment.stream, images, experiment.seed)
    with (real_data / "omniglot_tasks.csv").open() as file:
        listed = list(csv.DictReader(file))
    for task in tasks:
        published = {row["group"] for row in listed if int(row["task"]) == task.index}
        assert set(images.groups[task.train]) == published
        assert set(images.columns["drawer"][task.validation].tolist()) == {17, 18, 19, 20}
        assert len(task.train) == 16 * len(task.classes)


@pytest.mark.parametrize("name", ["quickstart", "omniglot-5"])
def test_a_small_encoder_reads_the_data_of_its_large_one_with_a_tenth_of_the_parameters(name: str) -> None:
    from holdfast.models import Encoder

    large, small = load(name), load(f"{name}-small")
    assert small.data == large.data
    assert small.model.dimension == large.model.dimension
    sizes = [
        sum(parameter.numel() for parameter in Encoder(each.model).parameters()) for each in (small, large)
    ]
    assert sizes[0] <= 0.1 * sizes[1]
