from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.base import DataError
from holdfast.data import DataConfig, ImageSet, StreamConfig, Task, build_stream, load_training

MakeImages = Callable[..., ImageSet]

SCENARIOS = ["class-incremental", "extended-class", "data-incremental", "extended-data", "domain-incremental"]


def everything(task: Task) -> set[int]:
    return {*task.train.tolist(), *task.validation.tolist()}


def same(one: tuple[Task, ...], other: tuple[Task, ...]) -> bool:
    return len(one) == len(other) and all(
        a.name == b.name
        and a.classes == b.classes
        and np.array_equal(a.train, b.train)
        and np.array_equal(a.validation, b.validation)
        for a, b in zip(one, other, strict=True)
    )


@st.composite
def labelled(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Shuffled images of 4 to 12 classes of unlike sizes, in groups of 2 to 4 classes."""
    sizes = draw(st.lists(st.integers(4, 12), min_size=4, max_size=12))
    per_group = draw(st.integers(2, 4))
    rows = [
        (f"class{number:02d}", f"group{number // per_group}")
        for number, size in enumerate(sizes)
        for _ in range(size)
    ]
    rows = draw(st.permutations(rows))
    return [label for label, _ in rows], [group for _, group in rows]


def build(config: StreamConfig, images: ImageSet, seed: int) -> tuple[Task, ...]:
    """The stream; a draw that no stream can be cut from (a task of one class) is not an example."""
    try:
        return build_stream(config, images, seed)
    except DataError as error:
        assume("has only the class" not in str(error))
        assume("has no images" not in str(error))
        assume("use fewer tasks" not in str(error))
        raise


@given(
    rows=labelled(),
    scenario=st.sampled_from(SCENARIOS),
    tasks=st.integers(1, 4),
    by=st.sampled_from(["label", "group"]),
    validation=st.sampled_from([0.0, 0.2, 0.6]),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=150)
def test_every_stream(
    make_images: MakeImages,
    rows: tuple[list[str], list[str]],
    scenario: str,
    tasks: int,
    by: str,
    validation: float,
    seed: int,
) -> None:
    labels, groups = rows
    images = make_images(labels, groups)
    config = StreamConfig.model_validate(
        {"scenario": scenario, "tasks": tasks, "by": by, "validation": validation}
    )
    stream = build(config, images, seed)
    assert same(stream, build_stream(config, images, seed))
    assert [task.index for task in stream] == list(range(tasks))
    for task in stream:
        for positions in (task.train, task.validation):
            assert positions.dtype == np.int64
            assert np.array_equal(positions, np.unique(positions))
        assert set(task.train).isdisjoint(task.validation)
        assert task.classes == tuple(sorted({labels[at] for at in everything(task)}))
        assert len(task.classes) >= 2
        assert validation or not len(task.validation)
    trained = set().union(*(task.train.tolist() for task in stream))
    held_out = set().union(*(task.validation.tolist() for task in stream))
    assert trained.isdisjoint(held_out), "what one task holds out no other trains on"
    assert trained | held_out == set(range(len(labels)))
    if config.extends:
        for earlier, later in pairwise(stream):
            assert set(earlier.train) <= set(later.train)
            assert set(earlier.validation) <= set(later.validation)
            assert set(earlier.classes) <= set(later.classes)
    else:
        for one, other in combinations(stream, 2):
            assert everything(one).isdisjoint(everything(other))
            if scenario == "class-incremental":
                assert set(one.classes).isdisjoint(other.classes)
            if by == "group" and scenario == "class-incremental":
                assert {groups[at] for at in one.train}.isdisjoint(groups[at] for at in other.train)


@given(seeds=st.lists(st.integers(0, 1000), min_size=2, max_size=2, unique=True))
@settings(deadline=None, max_examples=20)
def test_another_seed_is_another_stream(make_images: MakeImages, seeds: list[int]) -> None:
    images = make_images([f"class{number % 30:02d}" for number in range(300)], None)
    for scenario in SCENARIOS[:4]:
        config = StreamConfig.model_validate({"scenario": scenario, "tasks": 3})
        assert not same(*(build_stream(config, images, seed) for seed in seeds))


@given(rows=labelled(), share=st.floats(0.05, 0.9), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=50)
def test_validation_is_a_share_of_every_class(
    make_images: MakeImages, rows: tuple[list[str], list[str]], share: float, seed: int
) -> None:
    labels, groups = rows
    config = StreamConfig(tasks=1, validation=share)
    (task,) = build_stream(config, make_images(labels, groups), seed)
    for name in task.classes:
        size = labels.count(name)
        count = sum(labels[at] == name for at in task.validation)
        assert 2 <= count <= size - 2
        assert abs(count - share * size) <= 0.5 or count in (2, size - 2)


def test_validation_of_small_classes(make_images: MakeImages) -> None:
    labels = ["one"] + ["two"] * 2 + ["three"] * 3 + ["four"] * 4
    (task,) = build_stream(StreamConfig(tasks=1, validation=0.9), make_images(labels), 0)
    counts = {name: sum(labels[at] == name for at in task.validation) for name in task.classes}
    assert counts == {"one": 0, "two": 1, "three": 2, "four": 2}


def test_validation_by_expression(make_images: MakeImages) -> None:
    images = make_images([f"c{number // 4}" for number in range(16)], drawer=[1, 2, 3, 4] * 4)
    stream = build_stream(StreamConfig(tasks=2, validation="drawer > 3"), images, 0)
    assert sorted(at for task in stream for at in task.validation) == [3, 7, 11, 15]
    with pytest.raises(DataError, match="validation takes every image of the classes c"):
        build_stream(StreamConfig(tasks=2, validation="label == 'c1'"), images, 0)
    with pytest.raises(DataError, match=r"names room; the columns are .*drawer"):
        build_stream(StreamConfig(tasks=2, validation="room > 3"), images, 0)


@pytest.mark.parametrize("scenario", ["data-incremental", "extended-data"])
def test_images_are_dealt_evenly_within_every_class(make_images: MakeImages, scenario: str) -> None:
    labels = [f"c{number // 20}" for number in range(200)]
    config = StreamConfig.model_validate({"scenario": scenario, "shares": [0.3, 0.7], "validation": 0.0})
    first, second = build_stream(config, make_images(labels), 0)
    assert len(second.train) == (140 if scenario == "data-incremental" else 200)
    for name in first.classes:
        assert sum(labels[at] == name for at in first.train) == 6
    many = StreamConfig.model_validate({"scenario": scenario, "tasks": 40, "validation": 0.0})
    sizes = [len(task.train) for task in build_stream(many, make_images(labels), 0)]
    assert min(sizes) >= 2, "classes with fewer images than tasks spread over all tasks"


def test_shares_of_classes(make_images: MakeImages) -> None:
    images = make_images([f"c{number % 10}" for number in range(60)])
    for scenario, expected in (("class-incremental", [3, 7]), ("extended-class", [3, 10])):
        config = StreamConfig.model_validate({"scenario": scenario, "shares": [0.3, 0.7]})
        assert [len(task.classes) for task in build_stream(config, images, 0)] == expected
    uneven = build_stream(StreamConfig(tasks=3), images, 0)
    assert [len(task.classes) for task in uneven] == [4, 3, 3]


def test_domains_may_share_classes(make_images: MakeImages) -> None:
    labels = [f"c{number % 3}" for number in range(36)]
    groups = [f"d{number // 12}" for number in range(36)]
    stream = build_stream(StreamConfig(scenario="domain-incremental"), make_images(labels, groups), 0)
    assert [task.classes for task in stream] == [("c0", "c1", "c2")] * 3
    assert sorted(task.name for task in stream) == ["d0", "d1", "d2"]
    for task in stream:
        assert {groups[at] for at in everything(task)} == {task.name}
    with pytest.raises(DataError, match=r"3 classes lie in groups of several tasks .*domain-incremental"):
        build_stream(StreamConfig(by="group"), make_images(labels, groups), 0)


def test_what_cannot_be_cut(make_images: MakeImages) -> None:
    images = make_images([f"c{number % 4}" for number in range(20)])
    with pytest.raises(DataError, match="Cannot make 5 tasks from 4 labels"):
        build_stream(StreamConfig(tasks=5), images, 0)
    with pytest.raises(DataError, match=r"Task 0 \(c\d\) has only the class c\d"):
        build_stream(StreamConfig(tasks=4), images, 0)
    with pytest.raises(DataError, match=r"Task 0 .* has no images; use fewer tasks"):
        build_stream(StreamConfig(shares=(0.05, 0.95)), images, 0)
    with pytest.raises(DataError, match="dealt by group, but 20 images have no group"):
        build_stream(StreamConfig(by="group"), images, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "say how many tasks"),
        ({"tasks": 0}, "greater than or equal to 1"),
        ({"shares": [0.3, 0.3]}, "sum to 1"),
        ({"shares": [1.5, -0.5]}, "shares"),
        ({"shares": [0.3, 0.7], "tasks": 3}, "tasks is 3 but there are 2 shares"),
        ({"scenario": "data-incremental"}, "say how many tasks"),
        ({"scenario": "data-incremental", "manifest": "m.csv", "tasks": 2}, "deals images"),
        ({"scenario": "task-incremental", "tasks": 2}, "class-incremental"),
        ({"tasks": 2, "validation": 1.0}, "validation"),
        ({"tasks": 2, "validation": "drawer >"}, "Cannot understand"),
        ({"tasks": 2, "task": 2}, "task"),
    ],
)
def test_impossible_configs(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        StreamConfig.model_validate(wrong)


@pytest.fixture
def alphabets(make_images: MakeImages) -> ImageSet:
    """Six groups A to F of two classes of five images."""
    rows = [(f"{group}{letter}", group) for group in "ABCDEF" for letter in "xy" for _ in range(5)]
    return make_images([label for label, _ in rows], [group for _, group in rows])


def manifest(tmp_path: Path, text: str) -> StreamConfig:
    (tmp_path / "tasks.csv").write_text(text)
    return StreamConfig(manifest=str(tmp_path / "tasks.csv"))


def test_a_manifest_orders_the_units(alphabets: ImageSet, tmp_path: Path) -> None:
    config = manifest(tmp_path, "task,group\n10,A\n2,B\n2,C\n1,D\n1,E\n10,F\n\n")
    stream = build_stream(config, alphabets, 0)
    assert [task.name for task in stream] == ["D, E", "B, C", "A, F"]
    assert stream[0].classes == ("Dx", "Dy", "Ex", "Ey")
    other_seed = build_stream(config, alphabets, 1)
    assert [task.classes for task in other_seed] == [task.classes for task in stream]
    joined = build_stream(config.model_copy(update={"tasks": 2}), alphabets, 0)
    assert [len(task.classes) for task in joined] == [8, 4]


def test_a_manifest_of_labels_and_named_units(alphabets: ImageSet, tmp_path: Path) -> None:
    old = [label for label in sorted(set(alphabets.labels)) if label.endswith("x")]
    new = [label.replace("x", "y") for label in old]
    text = (
        "task,label\n" + "".join(f"old,{name}\n" for name in old) + "".join(f"new,{name}\n" for name in new)
    )
    stream = build_stream(manifest(tmp_path, text), alphabets, 0)
    assert [task.classes for task in stream] == [tuple(old), tuple(new)]
    assert stream[0].name == "Ax, Bx, Cx and 3 more"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task,group\n0,A\n1,B\n0,C\n", "does not name these groups of the data: D, E, F"),
        (
            "task,group\n" + "".join(f"0,{group}\n" for group in "ABCDEFGH"),
            "names groups that the data do not have: G, H",
        ),
        ("task,group\n0,A\n1,A\n", "names the group 'A' twice"),
        ("task,alphabet\n0,A\n", "begins with 'task,alphabet'; it must be task,group or task,label"),
        ("", "must be task,group"),
        ("task,group\n", "has no rows"),
        ("task,group\n0\n", "Line 2 .* must be a task and a group"),
        ("task,group\n0,A\n,B\n", "Line 3 .* must be a task and a group"),
    ],
)
def test_a_manifest_that_does_not_fit(alphabets: ImageSet, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build_stream(manifest(tmp_path, text), alphabets, 0)


def test_a_manifest_that_cannot_be_read(alphabets: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        build_stream(StreamConfig(manifest=str(tmp_path / "none.csv")), alphabets, 0)
    (tmp_path / "tasks.csv").write_bytes(b"task,group\n0,\xff\xfe\n")
    with pytest.raises(DataError, match="Cannot read"):
        build_stream(StreamConfig(manifest=str(tmp_path / "tasks.csv")), alphabets, 0)
    labels = manifest(tmp_path, "task,label\n0,Ax\n").model_copy(update={"scenario": "domain-incremental"})
    with pytest.raises(DataError, match=r"does not name|Domains are groups"):
        build_stream(labels, alphabets, 0)


class Blank:
    """Streams do not look at pixels."""

    def pixels(self, image: bytes) -> np.ndarray:
        return np.zeros((1, 1, 1), dtype=np.uint8)

    def model_dump_json(self) -> str:
        return "{}"


@pytest.fixture(scope="module")
def omniglot(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    config = DataConfig.model_validate(
        {
            "source": f"parquet:{shared_data}/omniglot.parquet",
            "train": {"split": "background"},
            "evaluate": {"split": "evaluation"},
            "columns": {"drawer": {"of": "sample_id", "pattern": r"_(\d+)$"}},
        }
    )
    return load_training(config, Blank(), cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize(
    ("stream", "units"),
    [
        ({}, [[unit] for unit in range(10)]),
        ({"tasks": 5}, [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
        ({"shares": [0.3, 0.7]}, [[0, 1, 2], [3, 4, 5, 6, 7, 8, 9]]),
        ({"shares": [0.3, 0.7], "scenario": "extended-class"}, [[0, 1, 2], list(range(10))]),
    ],
)
def test_omniglot_tasks(
    omniglot: ImageSet, shared_data: Path, stream: dict[str, object], units: list[list[int]]
) -> None:
    path = shared_data / "omniglot_tasks.csv"
    rows = [line.split(",") for line in path.read_text().split()[1:]]
    config = StreamConfig.model_validate({"manifest": str(path), "validation": "drawer > 16", **stream})
    tasks = build_stream(config, omniglot, 0)
    assert len(tasks) == len(units)
    for task, members in zip(tasks, units, strict=True):
        expected = {group for unit, group in rows if int(unit) in members}
        assert set(omniglot.groups[task.train]) == set(omniglot.groups[task.validation]) == expected
        assert len(task.train) == 16 * len(task.classes)
        assert len(task.validation) == 4 * len(task.classes)
        assert set(omniglot.columns["drawer"][task.validation]) == {17, 18, 19, 20}
    if "scenario" not in stream:
        assert sum(len(task.classes) for task in tasks) == 964
