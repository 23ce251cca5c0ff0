"""What a search answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from holdfast.base import chosen
from holdfast.index import Hit
from holdfast.search.cut import Group

RankedBy = Literal["own", "as_they_are", "exact", "adapter"]
"""By which vector an entry got its place: one of the version that asks, or the stored one, as it is or
through an adapter."""
Outcome = Literal["own", "cached", "embedded", "unreachable", "over_budget"]
"""What became of an entry that a cascade recalled: it is the asking version's already; its vector was in
memory; its image was embedded now; it cannot be read or embedded; time or count were spent."""


@dataclass(frozen=True)
class Cascaded:
    """What a cascade did: `recalled` entries, by what became of each, which adds up to it.

    Attributes:
        kept: vectors on their way to the gallery, where these entries become the asking version's.
    """

    recalled: int
    own: int = 0
    cached: int = 0
    embedded: int = 0
    unreachable: int = 0
    over_budget: int = 0
    kept: int = 0


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first; which versions' entries were searched, and up to which write (`seq`).

    `adapted`: those of the searched versions whose entries and the query met through an adapter; `exact`: the
    base of the query's version, whose entries the version itself maps.
    `excluded`: how many entries were left out because the query version may not search them, by version;
    entries of versions that the caller did not name are not among them. `cascade`: what became of the entries
    that were recalled to be ranked by their images, None where none were; `own`: the vectors of the query
    version by which it ranked entries of other versions (ids).
    `groups`, where they were asked for: of the hits, in the order of their best ones.
    """

    hits: list[Hit]
    query_version: str
    seq: int
    searched: list[str]
    adapted: list[str] = field(default_factory=list)
    exact: list[str] = field(default_factory=list)
    excluded: Mapping[str, int] = field(default_factory=dict)
    cascade: Cascaded | None = None
    own: frozenset[str] = frozenset()
    groups: tuple[Group, ...] | None = None

    def as_dict(self, attributes: bool | Sequence[str] = True) -> dict[str, Any]:
        """Plain values: what HTTP answers, and `--json` prints.

        Args:
            attributes: see `chosen`.
        """
        groups = [{"value": group.value, "ids": list(group.ids)} for group in self.groups or ()]
        return ({} if self.groups is None else {"groups": groups}) | {
            "hits": [
                {
                    "id": hit.id,
                    "score": hit.score,
                    "calibrated": hit.calibrated,
                    "embedded_by": hit.embedded_by,
                    "ranked_by": self.ranked_by(hit),
                    "attributes": chosen(hit.attributes, attributes),
                }
                for hit in self.hits
            ],
            "query_version": self.query_version,
            "versions": list(self.searched),
            "adapted": list(self.adapted),
            "exact": list(self.exact),
            "excluded": dict(self.excluded),
            "cascade": None if self.cascade is None else asdict(self.cascade),
            "seq": self.seq,
        }

    def ranked_by(self, hit: Hit) -> RankedBy:
        """By which vector one of the hits got its place."""
        if hit.embedded_by == self.query_version or hit.id in self.own:
            return "own"
        if hit.embedded_by in self.exact:
            return "exact"
        return "adapter" if hit.embedded_by in self.adapted else "as_they_are"
