"""A stream of tasks: which images each increment of training data has."""

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from holdfast.base import DataError, Settings
from holdfast.data.config import Selection
from holdfast.data.image_set import ImageSet
from holdfast.data.selection import select
from holdfast.data.shares import boundaries, rounded_share, shuffled_ranks
from holdfast.data.sources import expand, read_text, some

Scenario = Literal[
    "class-incremental", "extended-class", "data-incremental", "extended-data", "domain-incremental"
]


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
    classes: tuple[str, ...]
    """Sorted; every one has training images. Validation may have others, which are held out."""


def build_stream(config: StreamConfig, images: ImageSet, seed: int) -> tuple[Task, ...]:
    """The tasks in order; the same for the same images, config and seed.

    Raises:
        DataError: more tasks than units, a task without images or of one class only, a class without training
            images, a manifest that cannot be read or does not fit the data, no groups where they are needed.
    """
    generator = np.random.default_rng([seed, 1])
    if config.deals_images:
        parts, names = _deal_images(config, images, generator)
    else:
        parts, names = _deal_units(config, images, generator)
    unlearned = _classes_held_out(config.held_out, images, np.random.default_rng([seed, 4]))
    held_out = _hold_out(config, images, parts, generator) | np.isin(images.labels, unlearned)
    left_out = _leave_out(config.share, images, parts, held_out, np.random.default_rng([seed, 3]))
    tasks = []
    for index, name in enumerate(names):
        inside = parts <= index if config.extends else parts == index
        tasks.append(_task(index, name, images, inside & ~left_out, held_out, unlearned))
    return tuple(tasks)


def _task(
    index: int,
    name: str,
    images: ImageSet,
    inside: np.ndarray,
    held_out: np.ndarray,
    unlearned: np.ndarray,
) -> Task:
    train, validation = np.flatnonzero(inside & ~held_out), np.flatnonzero(inside & held_out)
    classes = np.unique(images.labels[train])
    said = f"Task {index} ({name})"
    if not inside.any():
        raise DataError(f"{said} has no images; use fewer tasks.")
    without = np.setdiff1d(np.setdiff1d(images.labels[validation], classes), unlearned)
    if len(without):
        raise DataError(f"{said}: stream.validation takes every image of the classes {some(without)}.")
    if len(classes) < 2:
        only = f"only the class {classes[0]}" if len(classes) else "held-out classes alone"
        raise DataError(f"{said} has {only}; a task needs at least two to learn. Use fewer tasks.")
    return Task(index, name, train, validation, tuple(classes.tolist()))


def _deal_images(
    config: StreamConfig, images: ImageSet, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """The task of every image, int64 (n,), and the names of the tasks; every class is spread over all."""
    shares = config.shares or (1 / (config.tasks or 1),) * (config.tasks or 1)
    ranks, sizes = shuffled_ranks(images.labels, generator)
    labels, codes = np.unique(images.labels, return_inverse=True)
    # Each class begins at its own place, or else all classes with few images would miss the same tasks.
    places = ((ranks + generator.random(len(labels))[codes]) / sizes) % 1.0
    ends = np.cumsum(shares)[:-1]
    return np.searchsorted(ends, places, side="right"), [f"{share:.0%} of the images" for share in shares]


def _deal_units(
    config: StreamConfig, images: ImageSet, generator: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """The task of every image, int64 (n,), and the names of the tasks; a unit lies whole in one."""
    by: str = "group" if config.units_are_groups else "label"
    if config.manifest is not None:
        by, listed = _read_manifest(config.manifest)
        units = _fit_manifest(config.manifest, by, listed, images)
    else:
        values = np.unique(_values(images, by))
        units = [[str(value)] for value in generator.permutation(values)]
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
    parts = np.array([task_of[value] for value in _values(images, by).tolist()], dtype=np.int64)
    if by == "group" and config.scenario != "domain-incremental":
        _require_whole_classes(images, parts)
    return parts, [some(members, 3) for members in joined]


def _even(count: int, tasks: int) -> np.ndarray:
    """Boundaries of `tasks` even parts, the first ones larger where it does not divide."""
    share, more = divmod(count, tasks)
    return np.concatenate([[0], np.cumsum([share + (index < more) for index in range(tasks)])])


def _values(images: ImageSet, by: str) -> np.ndarray:
    values = images.labels if by == "label" else images.groups
    if (values == "").any():
        raise DataError(f"The stream is dealt by {by}, but {int((values == '').sum())} images have no {by}.")
    return values


def _require_whole_classes(images: ImageSet, parts: np.ndarray) -> None:
    order = np.lexsort((parts, images.labels))
    labels, parts = images.labels[order], parts[order]
    divided = np.unique(labels[1:][(labels[1:] == labels[:-1]) & (parts[1:] != parts[:-1])])
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


def _fit_manifest(path: str, by: str, listed: dict[str, str], images: ImageSet) -> list[list[str]]:
    """The members of each unit: units in order of their numbers, or of the file where they are names."""
    there = set(np.unique(_values(images, by)).tolist())
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
    config: StreamConfig, images: ImageSet, parts: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The validation images, bool (n,). Held out for good: no later task trains on them."""
    if isinstance(config.validation, str):
        return select(config.validation, images.columns)
    if config.validation == 0:
        return np.zeros(len(images), dtype=bool)
    _, codes = np.unique(images.labels, return_inverse=True)
    ranks, sizes = shuffled_ranks(codes + parts * (codes.max() + 1), generator)
    count = rounded_share(sizes, config.validation)
    # Two of a class are the fewest that can find each other; training keeps two, or what there is.
    count = np.where(sizes >= 4, np.clip(count, 2, sizes - 2), np.minimum(count, sizes - 1))
    return np.asarray(ranks < count)


def _classes_held_out(share: float, images: ImageSet, generator: np.random.Generator) -> np.ndarray:
    """The labels of the classes that nothing is learned of."""
    labels = np.unique(images.labels)
    return generator.permutation(labels)[: int(rounded_share(np.array(len(labels)), share))]


def _leave_out(
    share: float,
    images: ImageSet,
    parts: np.ndarray,
    held_out: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """The training images that nothing is learned from, bool (n,)."""
    left_out = np.zeros(len(images), dtype=bool)
    if share < 1:
        _, codes = np.unique(images.labels, return_inverse=True)
        units = (codes + parts * (codes.max() + 1))[~held_out]
        ranks, sizes = shuffled_ranks(units, generator)
        left_out[~held_out] = ranks >= np.maximum(rounded_share(sizes, share), 1)
    return left_out
