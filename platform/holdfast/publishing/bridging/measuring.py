"""The figures of an upgrade and of its roll-back, by the best kind of truth that there is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.adapters import Meeting
from holdfast.base import DataError
from holdfast.evaluation import (
    PROJECTION,
    RE_EMBED,
    STATUS_QUO,
    Agreement,
    Answers,
    Figure,
    Labels,
    Sides,
    Threshold,
    Truth,
    Views,
    compare_ways,
    match_thresholds,
    pairs_from,
    search_ways,
    with_ceiling,
    with_projection,
)
from holdfast.publishing.bridging.embedding import Embedded
from holdfast.publishing.bridging.material import Material

_FEW_QUERIES = 10


@dataclass(frozen=True, eq=False)
class Question:
    """Queries over the measured entries, and what is right for them."""

    sides: Sides
    truth: Truth


@dataclass(frozen=True, eq=False)
class Measured:
    """Attributes:
    figures: of all ways. against_projection: the same against the projection, where there is one.
    back: of those by which the old version asks the new one's entries, against the
        same status quo.
    answers: of the ways, with what they took.
    """

    question: Question
    figures: Sequence[Figure]
    against_projection: Sequence[Figure]
    back: Sequence[Figure]
    answers: Answers
    thresholds: Sequence[Threshold]

    @property
    def queries(self) -> int:
        """That could be answered."""
        return int(self.question.truth.answerable.sum())


def ask(
    material: Material,
    entries: Embedded,
    asking: tuple[Material, Embedded] | None,
    relevant: Sequence[tuple[str, str]] | None,
) -> list[Question]:
    """The questions that can be asked of the measured entries, the most trustworthy kind of truth first.

    Raises DataError where labels or pairs leave nothing to ask.
    """
    ids = material.ids[entries.positions]
    if asking is None:
        names = ids
        own = np.arange(len(entries))
        sides = Sides(entries.old, entries.new, entries.old, entries.new, own)
    else:
        images, embedded = asking
        names = images.ids[embedded.positions]
        place = {identifier: position for position, identifier in enumerate(ids)}
        own = np.array([place.get(name, -1) for name in names], np.int64)
        sides = Sides(embedded.old, embedded.new, entries.old, entries.new, own)
    truths: list[Truth] = []
    if material.labels is not None:
        of_entries = material.labels[entries.positions].astype(str)
        of_queries = of_entries if asking is None else _labels(*asking)
        truths.append(Labels(of_queries, of_entries, own))
    elif relevant is not None:
        truths.append(pairs_from(list(names), list(ids), relevant, own))
    for truth in truths:
        count = int(truth.answerable.sum())
        if count < _FEW_QUERIES:
            raise DataError(
                f"Of {len(names)} queries {count} have a right answer among the {len(ids)} measured entries, "
                f"by the {truth.kind} that were given: {_FEW_QUERIES} are the least. Measure on more with "
                "--measure, or name others."
            )
        return [Question(sides, truth)]
    questions = []
    if len(entries.old_views):
        apart = np.full(len(entries), -1)
        views = Sides(entries.old_views[0], entries.new_views[0], entries.old, entries.new, apart)
        questions.append(Question(views, Views(np.arange(len(entries)))))
    return [*questions, Question(sides, Agreement.of(sides))]


def measure(
    question: Question,
    there: Meeting,
    back: Meeting,
    resamples: int,
    seed: int,
    project: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Measured:
    """Every way of the question, `there` being how the new version's queries meet the old one's entries, and
    `project` a map learned over the old version's vectors."""
    sides, truth = question.sides, question.truth
    answers = with_projection(search_ways(sides, there), sides, project)
    returning = search_ways(sides.turned(), back)
    # What the roll-back has to beat is the old version by itself, too.
    first = {way: found for way, found in returning.first.items() if way != RE_EMBED}
    first[STATUS_QUO] = answers.first[STATUS_QUO]
    return Measured(
        question,
        compare_ways(with_ceiling(answers, truth, sides), truth, resamples),
        [] if project is None else compare_ways(answers, truth, resamples, PROJECTION),
        compare_ways(Answers(first, returning.seconds), truth, resamples),
        answers,
        match_thresholds(sides, there, truth, seed=seed),
    )


def _labels(images: Material, embedded: Embedded) -> np.ndarray:
    assert images.labels is not None
    return np.asarray(images.labels[embedded.positions].astype(str))
