"""A bridge between two versions from its beginning to its end: sample, fit, choose, measure, record."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.adapters import AS_THEY_ARE, Meeting, Pairs
from holdfast.base import ConfigError, DataError
from holdfast.evaluation import (
    ADAPTER,
    CASCADES,
    NAIVE,
    Answers,
    Cost,
    Figure,
    Line,
    Named,
    Prices,
    Verdict,
    Way,
    advise,
    describe_machine,
)
from holdfast.learning import Progress, Watcher
from holdfast.models import Model
from holdfast.publishing.bridging.candidates import candidate_adapters
from holdfast.publishing.bridging.choosing import Chosen, Sample, choose_meeting
from holdfast.publishing.bridging.distorting import crop
from holdfast.publishing.bridging.embedding import BothEmbedder, Embedded, OnEmbedded, Pace, probe
from holdfast.publishing.bridging.material import Material
from holdfast.publishing.bridging.measuring import Measured, ask, measure
from holdfast.publishing.bridging.opening import measuring_order, open_material, open_queries, read_relevance
from holdfast.publishing.bridging.projecting import (
    Labelled,
    LearnedProjection,
    learn_projection,
    unmeasured,
)
from holdfast.publishing.bridging.recording import SAMPLED, Direction, evaluation_of, record
from holdfast.publishing.bridging.request import LEAST, BridgeRequest
from holdfast.store import Compatibility, Store, Version


@dataclass(frozen=True, eq=False)
class Bridge:
    """What became of it: the verdict, and what was recorded."""

    verdict: Verdict
    recorded: Sequence[Compatibility]


def bridge_versions(store: Store, old: str, new: str, request: BridgeRequest, watch: Watcher) -> Bridge:
    """Measure by which way `new` may search the entries of `old`, and what that is worth; record it.

    Nothing is recorded before all is measured. The same store, images and seed give the same.

    Raises:
        NotFoundError: no such version. ConfigError: the two are one, or what was asked for cannot be.
        DataError: fewer than 32 usable pairs, or pairs that do not belong together.
    """
    started = time.perf_counter()
    older, newer = store.versions.get(old), store.versions.get(new)
    if older.name == newer.name:
        raise ConfigError(f"{old} and {new} are one version, {older.name}: a bridge leads between two.")
    _refuse_exact(older, newer)
    models = store.versions.load(older.name), store.versions.load(newer.name)
    seen = _see(store, older, newer, models, request, watch)
    seconds = {"embedding": time.perf_counter() - started}
    started = time.perf_counter()
    there, back = _choose(store, older, newer, seen.sample, request.seed)
    seconds["fitting"] = time.perf_counter() - started
    started = time.perf_counter()
    projection = None if seen.labelled is None else learn_projection(seen.labelled, request.seed)
    seconds["learning a projection"] = time.perf_counter() - started
    started = time.perf_counter()
    measured = [
        measure(question, there.meeting, back.meeting, request.resamples, request.seed, projection)
        for question in ask(seen.material, seen.entries, seen.asking, seen.relevant)
    ]
    seconds["measuring"] = time.perf_counter() - started
    entries, cascades = seen.entries, seen.material.at_sources
    directions = [
        Direction(
            newer,
            older,
            entries.new,
            entries.old,
            there,
            [(each.question.truth.kind, each.figures) for each in measured],
            cascades and "image" in models[1].takes,
        ),
        Direction(
            older,
            newer,
            entries.old,
            entries.new,
            back,
            [(each.question.truth.kind, each.back) for each in measured],
            cascades and "image" in models[0].takes,
        ),
    ]
    returns = "image" in models[0].takes
    verdict = _verdict(
        older,
        newer,
        seen,
        there,
        measured,
        directions[0].cascades,
        returns,
        projection,
        request,
        seconds,
    )
    ids = list(seen.material.ids[entries.positions])
    evaluation = evaluation_of(measured[0], ids, (older, newer))
    return Bridge(verdict, record(store, directions, measured[0], evaluation, request.seed))


@dataclass(frozen=True, eq=False)
class _Seen:
    """All that was embedded."""

    material: Material
    sample: Embedded
    entries: Embedded
    asking: tuple[Material, Embedded] | None
    relevant: Sequence[tuple[str, str]] | None
    labelled: Labelled | None
    pace: Pace
    left_out: dict[str, int]


def _refuse_exact(older: Version, newer: Version) -> None:
    """Raises ConfigError where there can be no entries of the older one, or both read them exactly."""
    if older.space == newer.space:
        raise ConfigError(
            f"{older.name} and {newer.name} meet the entries of {older.space} exactly, so that there is "
            f"nothing to bridge: promote {newer.name}, or measure the two with holdfast evaluate."
        )
    if older.base is not None:
        raise ConfigError(
            f"{older.name} is a projection, whose entries are those of {older.base}: bridge {older.base} and "
            f"{newer.name}."
        )


def _see(
    store: Store,
    older: Version,
    newer: Version,
    models: tuple[Model, Model],
    request: BridgeRequest,
    watch: Watcher,
) -> _Seen:
    relevant = read_relevance(request.relevance)
    material = open_material(store, older, newer, request)
    images = open_queries(store, older, request)
    if images is not None and "image" not in models[0].takes:
        raise ConfigError(
            f"{older.name} embeds no images, so images cannot ask by it: leave --queries out, and the "
            "measured entries ask, each for the others."
        )
    embedder = BothEmbedder(*models, names=(older.name, newer.name), seed=request.seed)
    order = np.random.default_rng(request.seed).permutation(len(material))
    wanted = min(request.sample, len(material) // 2)
    sees = request.pairs is None and all("image" in model.takes for model in models)
    told = _told(watch, "embedding the sample")
    sample = embedder.embed(material, order, wanted, told, request.views if sees else 0, crop)
    _require_enough(len(sample), "pairs to fit a map on", material, embedder)
    rest = measuring_order(material, order[sample.tried :], relevant, request.seed)
    views = int(sees and material.labels is None and relevant is None)
    told = _told(watch, "embedding the measured entries")
    entries = embedder.embed(material, rest, request.measure, told, views)
    _require_enough(len(entries), "entries to measure it on", material, embedder)
    asking = None
    if images is not None:
        every = np.arange(len(images))
        told = _told(watch, "embedding the queries")
        asking = (images, embedder.embed(images, every, len(images), told))
    measured = [entries] if asking is None else [asking[1], entries]
    names = () if asking is None else asking[0].ids
    labelled = unmeasured(material, sample, measured, names, request.seed)
    pace = probe(material, order[: LEAST * 2], *models)
    return _Seen(material, sample, entries, asking, relevant, labelled, pace, dict(embedder.left_out))


def _choose(
    store: Store, older: Version, newer: Version, sample: Embedded, seed: int
) -> tuple[Chosen, Chosen]:
    """The map by which the new version's queries meet old entries, and the one back."""
    registered = {(row.query, row.gallery): row for row in store.adapters.list()}

    def choose(query: Version, gallery: Version, pairs: Sample) -> Chosen:
        row = registered.get((query.name, gallery.name))
        standing = None
        if row is None and query.dimension == gallery.dimension:
            standing = AS_THEY_ARE
        elif row is not None and SAMPLED not in row.config:
            standing = Meeting(store.adapters.open(row), row.maps)
        rivals = candidate_adapters(Pairs(pairs.old, pairs.new))
        return choose_meeting(pairs, rivals, seed, standing)

    pairs = Sample(sample.old, sample.new, sample.old_views, sample.new_views)
    return choose(newer, older, pairs), choose(older, newer, pairs.turned())


def _verdict(
    older: Version,
    newer: Version,
    seen: _Seen,
    chosen: Chosen,
    measured: Sequence[Measured],
    cascades: bool,
    returns: bool,
    projection: LearnedProjection | None,
    request: BridgeRequest,
    seconds: dict[str, float],
) -> Verdict:
    first = measured[0]
    as_they_are = chosen.adapter is None
    count = seen.material.entries or len(seen.material)
    usable = [NAIVE if as_they_are else ADAPTER]
    usable += [Way("cascade", candidates) for candidates in CASCADES] if cascades else []

    def lines(figures: Sequence[Figure], answers: Answers) -> list[Line]:
        return [
            Line(figure, _cost(figure.way, seen.pace, newer.dimension, count, answers, chosen.meeting))
            for figure in figures
            if not (as_they_are and figure.way == ADAPTER)
        ]

    by_way = lines(first.figures, first.answers)
    whole = None if seen.pace.image is None else count * seen.pace.image
    prices = Prices({line.way: line.cost.milliseconds for line in by_way}, whole)
    names = [
        Named(each.name, each.contract, each.dimension, each.run if each.kind == "foreign" else None)
        for each in (older, newer)
    ]
    advice = advise(
        str(names[0]),
        str(names[1]),
        first.figures,
        first.question.truth.kind,
        usable,
        prices,
        beaten=[figure.way for figure in first.against_projection if figure.is_worse],
    )
    apart = int(chosen.apart.sum())
    return Verdict(
        old=names[0],
        new=names[1],
        truth=first.question.truth.kind,
        lines=by_way,
        advice=advice,
        entries=seen.material.entries,
        sample=len(seen.sample),
        measured={"queries": first.queries, "entries": len(seen.entries)},
        adapter=None if chosen.config is None else chosen.config.model_dump(mode="json"),
        choice=chosen.scores,
        back=[
            Line(figure, Cost(figure.way.candidates))
            for figure in first.back
            if figure.way != NAIVE and (figure.way.kind != "cascade" or returns)
        ],
        agreement=[
            line
            for each in measured[1:]
            if each.question.truth.kind == "agreement"
            for line in lines(each.figures, each.answers)
        ],
        thresholds=first.thresholds,
        left_out=seen.left_out,
        notes=_notes(seen, first, apart, cascades, projection, older, newer),
        seed=request.seed,
        seconds=seconds,
        machine=describe_machine(),
    )


def _notes(
    seen: _Seen,
    measured: Measured,
    apart: int,
    cascades: bool,
    projection: LearnedProjection | None,
    older: Version,
    newer: Version,
) -> list[str]:
    notes = []
    asked = len(measured.question.sides)
    if measured.queries < asked:
        notes.append(
            f"{asked - measured.queries} of {asked} queries have no right answer among the measured entries, "
            "and are left out."
        )
    if apart:
        notes.append(
            f"{apart} of {len(seen.sample)} pairs do not belong together; the map was fitted without."
        )
    if projection is not None:
        assert seen.material.labels is not None
        asked_for = {str(label) for label in seen.material.labels[seen.entries.positions]}
        notes.append(
            f"The projection was learned over {projection.vectors:,} vectors of {older.name} that are not "
            f"measured, among them some of {len(asked_for & projection.classes)} of the {len(asked_for)} "
            "measured classes."
        )
    elif seen.labelled is not None:
        notes.append(
            f"A projection over {older.name}, learned over {len(seen.labelled):,} labelled vectors that are "
            "not measured, was no better than none on some of them that were held out."
        )
    if not cascades:
        notes.append(
            f"A cascade needs images at the sources of entries, and {newer.name} to embed them: its figures "
            "here are not recorded."
        )
    return notes


def _cost(way: Way, pace: Pace, dimension: int, count: int, answers: Answers, meeting: Meeting) -> Cost:
    searched = answers.seconds.get(way)
    query = pace.old_query if way.kind == "status quo" else pace.new_query
    milliseconds = None if searched is None else 1000 * searched + (query or 0.0)
    images = {"cascade": way.candidates, "re-embed": count}.get(way.kind, 0)
    stored = images
    if way == ADAPTER and meeting.maps == "entries" and meeting.adapter is not None:
        stored = count
    seconds = None if pace.image is None else images * pace.image
    return Cost(images, seconds, stored * dimension * 4, milliseconds)


def _require_enough(count: int, what: str, material: Material, embedder: BothEmbedder) -> None:
    if count >= LEAST:
        return
    reasons = "".join(f"; {number:,} {reason}" for reason, number in embedder.left_out.most_common(4))
    raise DataError(
        f"The {len(material):,} {material.where} make {count} {what}, and {LEAST} are the least{reasons}. "
        "Name more with --images or --pairs."
    )


def _told(watch: Watcher, phase: str) -> OnEmbedded:
    def tell(done: int, wanted: int) -> None:
        watch(Progress(phase, 0, 0, step=done, steps=wanted))

    return tell
