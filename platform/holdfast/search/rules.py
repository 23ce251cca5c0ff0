"""Which version may search the entries of which other one, and how the two meet in one ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.store import METRIC, RegisteredAdapter, Store, Version, find_adapter, incompatibility, reading

if TYPE_CHECKING:
    from holdfast.adapters import Adapter


@dataclass(frozen=True)
class Meeting:
    """How queries of one version meet the entries of another.

    Attributes:
        adapter: through which, None for none.
        scale, shift: scale score + shift (scale > 0) is what a score is ranked by among those of other
            versions' entries.
    """

    adapter: RegisteredAdapter | None = None
    scale: float = 1.0
    shift: float = 0.0


AS_THEY_ARE = Meeting()


@dataclass(frozen=True)
class Rules:
    """Which version may search which entries, as of one moment.

    Attributes:
        revision: the nonce of the counter then (see `Store.nonces`).
        meetings: by (query, gallery); only pairs that were measured compatible are in it.
        loaded: adapters by digest, filled as they are needed.
        settled: pairs that are not in it, for which the database was asked whether that is still so.
    """

    revision: str | None = None
    meetings: Mapping[tuple[str, str], Meeting] = field(default_factory=dict)
    loaded: dict[str, "Adapter"] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)

    def refused(self, query: str, names: Sequence[str]) -> list[str]:
        """Those of the versions whose entries `query` may not search."""
        return [name for name in names if name != query and (query, name) not in self.meetings]

    def are_settled(self, query: str, refused: Sequence[str]) -> bool:
        return all((query, name) in self.settled for name in refused)

    def settle(self, query: str, refused: Sequence[str]) -> None:
        self.settled.update((query, name) for name in refused)

    def meet(self, query: str, names: Sequence[str]) -> dict[str, Meeting]:
        """How `query` meets the entries of those versions that it does not meet as they are."""
        found = {name: self.meetings.get((query, name), AS_THEY_ARE) for name in names if name != query}
        return {name: meeting for name, meeting in found.items() if meeting != AS_THEY_ARE}

    def digests(self) -> set[str]:
        """Of the adapters in use."""
        return {each.adapter.digest for each in self.meetings.values() if each.adapter is not None}


def read_rules(store: Store, revision: str, before: Rules) -> Rules:
    """The rules as the database has them; adapters that `before` has loaded are kept if they are in use."""
    dimensions = {version.name: version.dimension for version in store.versions()}
    adapters = {(row.query, row.gallery): row for row in store.adapters()}
    calibrations = {(row.query, row.gallery): row for row in store.calibrations()}
    meetings: dict[tuple[str, str], Meeting] = {}
    for row in store.compatibility():
        pair = (row.query, row.gallery)
        adapter, calibration = adapters.get(pair), calibrations.get(pair)
        digest = None if adapter is None else adapter.digest
        # The adapter may have changed between the questions: then this verdict is not about it.
        meet = adapter is not None or dimensions[row.query] == dimensions[row.gallery]
        if not (row.compatible and row.metric == METRIC and row.adapter == digest and meet):
            continue
        if calibration is None or calibration.adapter != digest:
            meetings[pair] = Meeting(adapter)
        else:
            meetings[pair] = Meeting(adapter, calibration.scale, calibration.shift)
    rules = Rules(revision, meetings)
    in_use = rules.digests()
    # A copy first: another thread may be loading one.
    rules.loaded.update(
        {digest: adapter for digest, adapter in dict(before.loaded).items() if digest in in_use}
    )
    return rules


def explain_refusal(store: Store, query: Version, gallery: Version) -> str:
    """Why a version may not search the entries of another."""
    with reading(store.engine) as connection:
        if query.dimension != gallery.dimension and not find_adapter(connection, query.name, gallery.name):
            return (
                f"{query.name} ({query.dimension} dimensions) cannot search entries of {gallery.name} "
                f"({gallery.dimension}) without an adapter"
            )
        return (
            incompatibility(connection, query.name, gallery.name)
            or f"{query.name} may not search {gallery.name}"
        )
