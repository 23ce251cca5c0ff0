"""Measured compatibility: which version may search the entries of which other version."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, insert, select

from holdfast.base import version_number
from holdfast.store.adapters import find_adapter
from holdfast.store.database import adapters, advance_counter, compatibility, reading, versions, writing
from holdfast.store.versions import find_version

METRIC = "recall_at_1"
Truth = Literal["labels", "pairs", "views", "agreement"]
"""What tells a right entry, the most trustworthy first: class labels; relevance pairs; the entry of which the
query is a distorted view; the entry that the query's version itself finds nearest."""
Way = Literal["as_they_are", "exact", "adapter", "cascade"]
"""How queries and entries met; exactly, where a projection maps entries of its base."""
_PROVISIONAL = ("views", "agreement")
_COLUMNS = [column for column in compatibility.c if column.name != "id"]


@dataclass(frozen=True)
class Compatibility:
    """One measurement: queries by `query` over a gallery by `gallery`.

    Args:
        value: the cross-test of the pair, in the unit of the caller (the same for all of these numbers).
        reference: what it has to beat, the self-test of the older of the two; of a version and the one that
            it was distilled from, the self-test of the distilled one.
        low, high: the 95 % interval of `value - reference`.
        compatible: the verdict. `evaluation` is the fingerprint of the data it rests on.
        adapter: digest of the adapter between the two, None if they met as they are.
            The measurement counts as long as the pair has this very adapter (or none).
        candidates: of a cascade, how many entries are recalled and ranked by their images; 0 for no cascade.
        truth: what told a right entry.
    """

    query: str
    gallery: str
    value: float
    reference: float
    low: float
    high: float
    compatible: bool
    evaluation: str
    metric: str = METRIC
    measured_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    adapter: str | None = None
    candidates: int = 0
    truth: Truth = "labels"

    @property
    def way(self) -> Way:
        if self.candidates:
            return "cascade"
        return "as_they_are" if self.adapter is None else "adapter"

    @property
    def provisional(self) -> bool:
        """Whether it was measured without labels and without pairs."""
        return self.truth in _PROVISIONAL

    @property
    def decided(self) -> bool:
        """Whether the interval excludes zero; else the verdict is within chance."""
        return self.low > 0 or self.high < 0


class Measurements:
    """The measured compatibility of a store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ways(self) -> list[Compatibility]:
        """The latest measurement with the adapter in force of every pair, metric, number of candidates and
        kind of truth; oldest versions first."""
        retired = select(versions.c.name).where(versions.c.retired_at.is_not(None))
        statement = select(*_COLUMNS).where(
            compatibility.c.id.in_(_latest().scalar_subquery()),
            compatibility.c.query.not_in(retired),
            compatibility.c.gallery.not_in(retired),
        )
        with reading(self._engine) as connection:
            found = [Compatibility(**row._mapping) for row in connection.execute(statement)]
        return sorted(
            found,
            key=lambda row: (
                version_number(row.query),
                version_number(row.gallery),
                row.metric,
                row.candidates,
                row.truth,
            ),
        )

    def list(self) -> list[Compatibility]:
        """The measurement that counts for every pair and metric; oldest versions first."""
        return _chosen_of_each(self.ways())

    def get(self, query: str, gallery: str) -> Compatibility | None:
        """The measurement of a pair that counts, None if there is none; `compatible` is the verdict."""
        with reading(self._engine) as connection:
            return measurement(connection, query, gallery)

    def record(self, rows: Sequence[Compatibility]) -> None:
        """Append measurements. Raises NotFoundError for an unknown version, ValueError for NaN."""
        if not rows:
            return
        for row in rows:
            if not all(math.isfinite(number) for number in (row.value, row.reference, row.low, row.high)):
                raise ValueError(
                    f"the compatibility of {row.query} with {row.gallery} is not a number: {row}"
                )
        with writing(self._engine) as connection:
            for name in {name for row in rows for name in (row.query, row.gallery)}:
                find_version(connection, name)
            # Locks out another recorder, so that ids grow in commit order, and tells caches to ask again.
            advance_counter(connection, "compatibility")
            connection.execute(insert(compatibility), [asdict(row) for row in rows])


def measurement(
    connection: Connection, query: str, gallery: str, metric: str = METRIC
) -> Compatibility | None:
    """The measurement of a pair that counts, None if there is none. A version is compatible with itself."""
    pair = and_(
        compatibility.c.query == query, compatibility.c.gallery == gallery, compatibility.c.metric == metric
    )
    statement = select(*_COLUMNS).where(compatibility.c.id.in_(_latest().where(pair).scalar_subquery()))
    rows = [Compatibility(**row._mapping) for row in connection.execute(statement)]
    found = _chosen(rows) if rows else None
    if query == gallery:
        if found is None:
            return Compatibility(query, gallery, 0.0, 0.0, 0.0, 0.0, True, "identity", metric)
        return replace(found, compatible=True)
    return found


@dataclass(frozen=True)
class Incompatibility:
    """Why one version may not search another's entries, in words, and what would tell that it may; `command`,
    where there is one, is the next to type."""

    sentence: str
    remedy: str
    command: str = ""

    def __str__(self) -> str:
        return self.sentence


def explain_problems(problems: Sequence[Incompatibility]) -> str:
    """What is in the way, what can be done, and that a user may know better."""
    remedies = dict.fromkeys(problem.remedy for problem in problems)
    return f"{'; '.join(map(str, problems))}. {'; '.join(remedies)}, or force it if you know better."


def incompatibility(
    connection: Connection, query: str, gallery: str, provisional: bool = False
) -> Incompatibility | None:
    """Why `query` may not search entries of `gallery`; None if it may.

    Args:
        provisional: whether a measurement without labels will do.
    """
    found = measurement(connection, query, gallery)
    one_base = (
        query != gallery and find_version(connection, query).space == find_version(connection, gallery).space
    )
    adapted = found is None and find_adapter(connection, query, gallery) is not None
    return judge(query, gallery, found, one_base=one_base, adapted=adapted, provisional=provisional)


def judge(
    query: str,
    gallery: str,
    found: Compatibility | None,
    *,
    one_base: bool,
    adapted: bool,
    provisional: bool = False,
) -> Incompatibility | None:
    """What `incompatibility` says, by what the database has of a pair.

    Args:
        found: the measurement that counts.
        one_base: whether both meet the entries of one base exactly.
        adapted: whether they have an adapter.
    """
    bridge = f"holdfast bridge {gallery} {query}"
    if one_base:
        return _worse_over_one_base(found)
    if found is None:
        through = " through its adapter" if adapted else ""
        return Incompatibility(
            f"{query} was never measured against entries of {gallery}{through}",
            f"Measure the pair (holdfast evaluate, or {bridge})",
            bridge,
        )
    if found.provisional and not provisional:
        return Incompatibility(
            f"{query} was measured against entries of {gallery} without labels or relevance pairs, which is "
            "provisional",
            f"Measure the pair by such ({bridge} with --labels or --relevance)",
            f"{bridge} --labels ATTRIBUTE",
        )
    if not found.compatible:
        chance = "" if found.decided else "; the difference is within chance, which is not enough"
        way = f" in a cascade of {found.candidates}" if found.candidates else ""
        return Incompatibility(
            f"{query} is not compatible with entries of {gallery}{way} "
            f"({found.metric} {found.value:.4g}, has to beat {found.reference:.4g}{chance})",
            f"Look for another way ({bridge})",
            bridge,
        )
    return None


def _worse_over_one_base(found: Compatibility | None) -> Incompatibility | None:
    """Both meet the entries of one base exactly, so that nothing can mix them up: in the way is only that
    `query` surely finds less."""
    if found is None or found.compatible or not found.decided:
        return None
    return Incompatibility(
        f"{found.query} finds less than {found.gallery} among the same entries ({found.metric} "
        f"{found.value:.4g} and {found.reference:.4g})",
        f"Stay with {found.gallery}",
    )


def _chosen_of_each(rows: Sequence[Compatibility]) -> list[Compatibility]:
    by_pair: dict[tuple[str, str, str], list[Compatibility]] = {}
    for row in rows:
        by_pair.setdefault((row.query, row.gallery, row.metric), []).append(row)
    return [_chosen(each) for each in by_pair.values()]


def _chosen(rows: Sequence[Compatibility]) -> Compatibility:
    """The one that counts, of the latest measurements of a pair: by the best kind of truth that there is, of
    the cheapest way that holds; where none does, of the cheapest one."""
    order = get_args(Truth)
    best = min((row.truth for row in rows), key=order.index)
    of_best = sorted((row for row in rows if row.truth == best), key=lambda row: row.candidates)
    return next((row for row in of_best if row.compatible), of_best[0])


def _latest() -> Select[Any]:
    """Ids of the newest row of each kind."""
    return _that_count(func.max(compatibility.c.id)).group_by(
        compatibility.c.query,
        compatibility.c.gallery,
        compatibility.c.metric,
        compatibility.c.candidates,
        compatibility.c.truth,
    )


def _that_count(*columns: ColumnElement[Any]) -> Select[Any]:
    """Of the rows made with the adapter in force: another one, or none, answers other queries."""
    pair = and_(adapters.c.query == compatibility.c.query, adapters.c.gallery == compatibility.c.gallery)
    return (
        select(*columns)
        .select_from(compatibility.outerjoin(adapters, pair))
        .where(compatibility.c.adapter.is_not_distinct_from(adapters.c.digest))
    )
