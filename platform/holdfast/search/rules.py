"""Which version may search the entries of which other one, and how the two meet in one ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from holdfast.store import METRIC, RegisteredAdapter, Store, Version, find_adapter, incompatibility, reading


@dataclass(frozen=True)
class Pairing:
    """What the database has of two versions that meet: see `holdfast.adapters.Meeting`."""

    adapter: RegisteredAdapter | None = None
    shift: float = 0.0
    candidates: int = 0
    """Of a cascade: how many entries are recalled, and then ranked by their images; 0 for none."""


AS_THEY_ARE = Pairing()


@dataclass(frozen=True)
class Rules:
    """Which version may search which entries, as of one moment.

    Attributes:
        revision: the nonce of the counter then (see `Store.nonces`).
        pairings: by (query, gallery); only pairs that were measured compatible, or meet exactly, are in it.
        settled: pairs that are not in it, for which the database was asked whether that is still so.
    """

    revision: str | None = None
    pairings: Mapping[tuple[str, str], Pairing] = field(default_factory=dict)
    settled: set[tuple[str, str]] = field(default_factory=set)

    def refused(self, query: str, names: Sequence[str], without_cascade: bool = False) -> list[str]:
        """Those of the versions whose entries `query` may not search, perhaps without a cascade."""
        others = ((name, self.pairings.get((query, name))) for name in names if name != query)
        return [name for name, found in others if found is None or (without_cascade and found.candidates)]

    def are_settled(self, query: str, refused: Sequence[str]) -> bool:
        return all((query, name) in self.settled for name in refused)

    def settle(self, query: str, refused: Sequence[str]) -> None:
        self.settled.update((query, name) for name in refused)

    def pairing(self, query: str, gallery: str) -> Pairing:
        """Of two versions that meet."""
        return AS_THEY_ARE if query == gallery else self.pairings[query, gallery]

    def digests(self) -> set[str]:
        """Of the adapters in use."""
        return {each.adapter.digest for each in self.pairings.values() if each.adapter is not None}


def read_rules(store: Store, revision: str) -> Rules:
    """The rules as the database has them."""
    versions = store.versions.list()
    dimensions = {version.name: version.dimension for version in versions}
    adapters = {(row.query, row.gallery): row for row in store.adapters.list()}
    calibrations = {(row.query, row.gallery): row for row in store.calibrations.list()}
    pairings: dict[tuple[str, str], Pairing] = {}
    for row in store.compatibility.list():
        pair = (row.query, row.gallery)
        adapter, calibration = adapters.get(pair), calibrations.get(pair)
        digest = None if adapter is None else adapter.digest
        # The adapter may have changed between the questions: then this verdict is not about it.
        meet = adapter is not None or dimensions[row.query] == dimensions[row.gallery]
        if row.compatible and row.metric == METRIC and row.adapter == digest and meet:
            counts = calibration is not None and calibration.adapter == digest
            shift = calibration.shift if calibration and counts else 0.0
            pairings[pair] = Pairing(adapter, shift, row.candidates)
    for version in versions:
        # All that a projection ranks it has mapped itself: that mixes nothing, however well it does it.
        exact = None if version.base is None else adapters.get((version.name, version.base))
        if exact is not None:
            pairings.setdefault((exact.query, exact.gallery), Pairing(exact))
    return Rules(revision, pairings)


def explain_refusal(store: Store, query: Version, gallery: Version, obstacle: str = "") -> str:
    """Why a version may not search the entries of another.

    Args:
        obstacle: why nothing can be embedded for a cascade; "" if it can.
    """
    with reading(store.engine) as connection:
        if query.dimension != gallery.dimension and not find_adapter(connection, query.name, gallery.name):
            return (
                f"{query.name} ({query.dimension} dimensions) cannot search entries of {gallery.name} "
                f"({gallery.dimension}) without an adapter"
            )
        problem = incompatibility(connection, query.name, gallery.name, provisional=True)
        if problem is None and obstacle:
            return (
                f"{query.name} searches entries of {gallery.name} only in a cascade, which embeds the images "
                f"of the best ones, and {obstacle}"
            )
        return str(problem or "") or f"{query.name} may not search {gallery.name}"
