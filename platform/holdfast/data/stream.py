"""A stream of tasks: which images each increment of training data has."""

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from holdfast.base import DataError, Settings
from holdfast.data.classes import Classes, number_classes
from holdfast.data.config import Selection
from holdfast.data.image_set import ImageSet
from holdfast.data.selection import select
from holdfast.data.shares import boundaries, draw_evenly, rounded_share, shuffled_ranks
from holdfast.data.sources import expand, read_text, some

Scenario = Literal[
    "class-incremental", "extended-class", "data-incremental", "extended-data", "domain-incremental"
]


MOST_MEASURED = 8192
"""Validation images of a task on which versions are measured, at most."""


class StreamConfig(Settings):
    """How training images are dealt into tasks.

    Units (classes, groups, or the tasks of a manifest) are put in order, and consecutive ones joined into
    tasks: evenly into `tasks`, or by `shares`. The order is the manifest's, or else drawn from the seed.

    - class-incremental: no task has a class of another. extended-class: a task also has all earlier ones.
    - data-incremental: every class is dealt over all tasks, image by image. extended-data: a task also has
      the images of all earlier ones.
    - domain-incremental: the units are groups, and a class may come back in several.
    """

    scenario: Scenario = "class-incremental"
    tasks: Annotated[int, Field(ge=1)] | None = None
    """How many; if neither this nor `shares` is given, one for each group or unit of the manifest."""
    by: Literal["label", "group"] = "label"
    """What a unit is, without a manifest. With `group`, a task never divides a group."""
    manifest: str | None = None
    """CSV with the columns task,group or task,label; `$HOLDFAST_DATA` is expanded."""
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] | None = None
    """Of the units (or of every class's images): (0.3, 0.7) is 30 %, then 70 %; they sum to 1."""
    validation: Annotated[float, Field(ge=0, lt=1)] | Selection = 0.2
    """A share of every class's images in the task, at least 2 where there are 4; or an expression."""
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, exclude_if=lambda value: value == 0.0)
    """Share of the classes, rounded, that nothing is learned of: all of their images are for validation."""
    share: Annotated[float, Field(gt=0, le=1)] = Field(1.0, exclude_if=lambda value: value == 1.0)
    """Of every class's training images in a task, those that it learns from: at least one. A smaller share is
    part of a larger one, and validation images are the same for all."""

    @property
    def deals_images(self) -> bool:
        return self.scenario in ("data-incremental", "extended-data")

    @property
    def extends(self) -> bool:
        return self.scenario in ("extended-class", "extended-data")

    @model_validator(mode="after")
    def _is_coherent(self) -> "StreamConfig":
        if self.shares is not None:
            if abs(sum(self.shares) - 1) > 1e-6:
                raise ValueError(f"shares must sum to 1; {self.shares} sum to {sum(self.shares):g}")
            if self.tasks not in (None, len(self.shares)):
                raise ValueError(
                    f"tasks is {self.tasks} but there are {len(self.shares)} shares; leave tasks out"
                )
        if self.deals_images and self.manifest is not None:
            raise ValueError(
                f"a manifest deals classes or groups; {self.scenario} deals images, so leave it out"
            )
        if self.tasks is None and self.shares is None and self.manifest is None and not self.units_are_groups:
            raise ValueError("say how many tasks, or give shares or a manifest")
        return self

    @property
    def units_are_groups(self) -> bool:
        return not self.deals_images and (self.by == "group" or self.scenario == "domain-incremental")


@dataclass(frozen=True, eq=False)
class Task:
    """One increment of training data: positions int64 into the stream's images, sorted; disjoint."""

    index: int
    name: str
    train: np.ndarray
    validation: np.ndarray
    measured: np.ndarray
    """Of the validation images those on which versions are measured: all, or as many of every class as there
    is room for among `MOST_MEASURED`."""
    classes: tuple[str, ...]
    """Sorted; every one has training images. Validation may have others, which are held out."""


def build_stream(config: StreamConfig, images: ImageSet, seed: int) -> tuple[Task, ...]:
    """The tasks in order; the same for the same images, config and seed.

    Raises:
        DataError: more tasks than units, a task without images or of one class only, a class without training
            images, a manifest that cannot be read or does not fit the data, no groups where they are needed.
    """
    generator = np.random.default_rng([seed, 1])
    labels = number_classes(images.labels)
    if config.deals_images:
        parts, names = _deal_images(config, labels, generator)
    else:
        parts, names = _deal_units(config, images, labels, generator)
    unlearned = _classes_held_out(config.held_out, labels, np.random.default_rng([seed, 4]))
    held_out = _hold_out(config, images, labels, parts, generator) | unlearned[labels.codes]
    left_out = _leave_out(config.share, labels, parts, held_out, np.random.default_rng([seed, 3]))
    tasks = []
    for index, name in enumerate(names):
        inside = (parts <= index if config.extends else parts == index) & ~left_out
        classes = _learned_classes(f"Task {index} ({name})", labels, inside, held_out, unlearned)
        train, validation = np.flatnonzero(inside & ~held_out), np.flatnonzero(inside & held_out)
        drawn = draw_evenly(labels.codes[validation], MOST_MEASURED, np.random.default_rng([seed, 6, index]))
        tasks.append(Task(index, name, train, validation, validation[drawn], classes))
    return tuple(tasks)


def note_measured(tasks: tuple[Task, ...]) -> tuple[str, ...]:
    """What is to be said of validation images on which no version is measured."""
    sampled = [task for task in tasks if len(task.measured) < len(task.validation)]
    if not sampled:
        return ()
    said = some((f"{len(each.validation):,} of task {each.index + 1}" for each in sampled), 3)
    return (
        f"Versions are measured on {MOST_MEASURED:,} validation images of a task at most, as many of every "
        f"class as there is room for, the same for all versions. There are more: {said}.",
    )


def _learned_classes(
    said: str, labels: Classes, inside: np.ndarray, held_out: np.ndarray, unlearned: np.ndarray
) -> tuple[str, ...]:
    """The classes of a task's training images, sorted. Raises DataError for a task that is none."""
    learned, kept = (
        np.bincount(labels.codes[inside & part], minlength=len(labels.names)) > 0
        for part in (~held_out, held_out)
    )
    classes = labels.names[learned]
    if not inside.any():
        raise DataError(f"{said} has no images; use fewer tasks.")
    without = labels.names[kept & ~learned & ~unlearned]
    if len(without):
        raise DataError(f"{said}: stream.validation takes every image of the classes {some(without)}.")
    if len(classes) < 2:
        only = f"only the class {classes[0]}" if len(classes) else "held-out classes alone"
        raise DataError(f"{said} has {only}; a task needs at least two to learn. Use fewer tasks.")
    return tuple(classes.tolist())


def _deal_images(
    config: StreamConfig, classes: Classes, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """The task of every image, int64 (n,), and the names of the tasks; every class is spread over all."""
    shares = config.shares or (1 / (config.tasks or 1),) * (config.tasks or 1)
    ranks, sizes = shuffled_ranks(classes.codes, generator)
    # Each class begins at its own place, or else all classes with few images would miss the same tasks.
    places = ((ranks + generator.random(len(classes.names))[classes.codes]) / sizes) % 1.0
    ends = np.cumsum(shares)[:-1]
    return np.searchsorted(ends, places, side="right"), [f"{share:.0%} of the images" for share in shares]


def _deal_units(
    config: StreamConfig, images: ImageSet, labels: Classes, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """The task of every image, int64 (n,), and the names of the tasks; a unit lies whole in one."""
    by: str = "group" if config.units_are_groups else "label"
    if config.manifest is not None:
        by, listed = _read_manifest(config.manifest)
        values = _values(images, labels, by)
        units = _fit_manifest(config.manifest, by, listed, values)
    else:
        values = _values(images, labels, by)
        units = [[str(value)] for value in generator.permutation(values.names)]
    if by == "label" and config.scenario == "domain-incremental":
        raise DataError(f"Domains are groups, but the manifest {config.manifest!r} deals labels.")
    count = config.tasks or len(config.shares or units)
    if count > len(units):
        what = "units of the manifest" if config.manifest else f"{by}s"
        raise DataError(f"Cannot make {count} tasks from {len(units)} {what}; use fewer tasks.")
    starts = boundaries(len(units), config.shares) if config.shares else _even(len(units), count)
    joined = [
        [member for unit in units[start:end] for member in unit] for start, end in pairwise(starts.tolist())
    ]
    task_of = {member: index for index, members in enumerate(joined) for member in members}
    parts = np.array([task_of[name] for name in values.names.tolist()], dtype=np.int64)[values.codes]
    if by == "group" and config.scenario != "domain-incremental":
        _require_whole_classes(labels, parts)
    return parts, [some(members, 3) for members in joined]


def _even(count: int, tasks: int) -> np.ndarray:
    """Boundaries of `tasks` even parts, the first ones larger where it does not divide."""
    share, more = divmod(count, tasks)
    return np.concatenate([[0], np.cumsum([share + (index < more) for index in range(tasks)])])


def _values(images: ImageSet, labels: Classes, by: str) -> Classes:
    values = labels if by == "label" else number_classes(images.groups)
    nameless = int(values.sizes[values.names == ""].sum())
    if nameless:
        raise DataError(f"The stream is dealt by {by}, but {nameless} images have no {by}.")
    return values


def _require_whole_classes(labels: Classes, parts: np.ndarray) -> None:
    order = np.lexsort((parts, labels.codes))
    codes, parts = labels.codes[order], parts[order]
    divided = labels.names[np.unique(codes[1:][(codes[1:] == codes[:-1]) & (parts[1:] != parts[:-1])])]
    if len(divided):
        raise DataError(
            f"{len(divided)} classes lie in groups of several tasks ({some(divided)}); "
            "use scenario domain-incremental, where classes may come back."
        )


def _read_manifest(path: str) -> tuple[str, dict[str, str]]:
    """What the manifest deals (`group` or `label`), and the unit of each, in file order."""
    reader = csv.reader(io.StringIO(read_text(expand(path))))
    header = [name.strip() for name in next(reader, [])]
    if header not in (["task", "group"], ["task", "label"]):
        raise DataError(
            f"The manifest {path!r} begins with {','.join(header)!r}; it must be task,group or task,label."
        )
    units: dict[str, str] = {}
    for row in reader:
        if not row:
            continue
        if len(row) != 2 or not row[0].strip() or not row[1].strip():
            raise DataError(
                f"Line {reader.line_num} of the manifest {path!r} must be a task and a {header[1]}."
            )
        unit, member = row[0].strip(), row[1].strip()
        if member in units:
            raise DataError(f"The manifest {path!r} names the {header[1]} {member!r} twice.")
        units[member] = unit
    if not units:
        raise DataError(f"The manifest {path!r} has no rows.")
    return header[1], units


def _fit_manifest(path: str, by: str, listed: dict[str, str], values: Classes) -> list[list[str]]:
    """The members of each unit: units in order of their numbers, or of the file where they are names."""
    there = set(values.names.tolist())
    for strangers, problem in (
        (sorted(there - set(listed)), f"does not name these {by}s of the data"),
        (sorted(set(listed) - there), f"names {by}s that the data do not have"),
    ):
        if strangers:
            raise DataError(f"The manifest {path!r} {problem}: {some(strangers)}.")
    names = list(dict.fromkeys(listed.values()))
    if all(name.isdecimal() for name in names):
        names.sort(key=int)
    return [[member for member, unit in listed.items() if unit == name] for name in names]


def _hold_out(
    config: StreamConfig, images: ImageSet, labels: Classes, parts: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The validation images, bool (n,). Held out for good: no later task trains on them."""
    if isinstance(config.validation, str):
        return select(config.validation, images.columns)
    if config.validation == 0:
        return np.zeros(len(images), dtype=bool)
    ranks, sizes = shuffled_ranks(labels.codes + parts * len(labels.names), generator)
    count = rounded_share(sizes, config.validation)
    # Two of a class are the fewest that can find each other; training keeps two, or what there is.
    count = np.where(sizes >= 4, np.clip(count, 2, sizes - 2), np.minimum(count, sizes - 1))
    return np.asarray(ranks < count)


def _classes_held_out(share: float, labels: Classes, generator: np.random.Generator) -> np.ndarray:
    """The classes that nothing is learned of, bool (c,)."""
    count = len(labels.names)
    held_out = np.zeros(count, dtype=bool)
    held_out[generator.permutation(count)[: int(rounded_share(np.array(count), share))]] = True
    return held_out


def _leave_out(
    share: float,
    labels: Classes,
    parts: np.ndarray,
    held_out: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """The training images that nothing is learned from, bool (n,)."""
    left_out = np.zeros(len(labels.codes), dtype=bool)
    if share < 1:
        units = (labels.codes + parts * len(labels.names))[~held_out]
        ranks, sizes = shuffled_ranks(units, generator)
        left_out[~held_out] = ranks >= np.maximum(rounded_share(sizes, share), 1)
    return left_out
