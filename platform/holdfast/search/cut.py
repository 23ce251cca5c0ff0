"""Which of the ranked entries are the answer: the first, those from a score on, or the best of each group."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.base import ConfigError, Scalar, TooLargeError
from holdfast.filters import Exists, Filter, OneOf, OtherThan, both
from holdfast.index import Hit

MAX_GROUPS = 100
MAX_IN_GROUPS = 1000
_FIRST = 4  # times as many hits are recalled at first as groups would need at least

Find = Callable[[Filter | None, int], list[Hit]]
_Key = tuple[str, Scalar]


@dataclass(frozen=True)
class Group:
    """Entries with one value of an attribute, by their ids, best first."""

    value: Scalar
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """Args:
    threshold: only entries whose ranked score (`Hit.calibrated`) is at least this.
    group_by: an attribute; the answer is the best entries of so many of its values as hits were asked for.
        An entry without it is in no group, one with a list in the group of each member.
    group_size: entries of a group at most.
    """

    threshold: float | None = None
    group_by: str | None = None
    group_size: int = 1

    def check(self, k: int) -> None:
        """Raises ConfigError, TooLargeError for groups that no search answers."""
        if self.group_size < 1:
            raise ConfigError(f"group_size is {self.group_size}: it is a whole number from 1 on.")
        if self.group_by is not None and (k > MAX_GROUPS or k * self.group_size > MAX_IN_GROUPS):
            raise TooLargeError(
                f"A search answers {MAX_GROUPS} groups and {MAX_IN_GROUPS:,} entries in groups at most, not "
                f"{k:,} groups of {self.group_size:,}."
            )

    def recall(self, find: Find, allowed: Filter | None, k: int, candidates: int) -> list[Hit]:
        """Ranked hits among which the answer is; `find` gives the best so many of those that match.

        Groups are found round by round, each among the entries that are in a group not known yet: so there
        are k of them if there are k at all, however many entries the first ones have.
        """
        if self.group_by is None:
            return find(allowed, max(k, candidates))
        by, least = self.group_by, max(_FIRST * k, k * self.group_size, candidates)
        grouped = both(allowed, Exists(by))
        found: dict[str, Hit] = {}
        counts: dict[_Key, int] = {}
        whole: set[_Key] = set()  # of which every entry was found
        rest: Filter | None = grouped
        while len(counts) < k:
            hits, known = find(rest, least), set(counts)
            for hit in hits:
                if hit.id not in found:
                    found[hit.id] = hit
                    for key in dict.fromkeys(_keys(hit, by)):
                        counts[key] = counts.get(key, 0) + 1
            if len(hits) < least:
                whole = counts.keys() - known
                break
            rest = both(grouped, OtherThan(by, tuple(value for _, value in counts)))
        for key in list(counts)[:k]:
            if counts[key] < self.group_size and key not in whole:
                for hit in find(both(allowed, OneOf(by, (key[1],))), self.group_size):
                    found.setdefault(hit.id, hit)
        return sorted(found.values(), key=lambda hit: (-hit.calibrated, hit.id))

    def of(self, hits: list[Hit], k: int) -> tuple[list[Hit], tuple[Group, ...] | None]:
        """The answer among ranked hits, and its groups."""
        if self.threshold is not None:
            hits = [hit for hit in hits if hit.calibrated >= self.threshold]
        if self.group_by is None:
            return hits[:k], None
        groups: dict[_Key, list[str]] = {}
        kept = []
        for hit in hits:
            taken = False
            for key in dict.fromkeys(_keys(hit, self.group_by)):
                if key not in groups and len(groups) == k:
                    continue
                ids = groups.setdefault(key, [])
                if len(ids) < self.group_size:
                    ids.append(hit.id)
                    taken = True
            if taken:
                kept.append(hit)
        return kept, tuple(Group(value, tuple(ids)) for (_, value), ids in groups.items())


WHOLE = Cut()


def _keys(hit: Hit, by: str) -> Iterator[_Key]:
    value = hit.attributes.get(by)
    for each in value if isinstance(value, list) else [value]:
        if each is not None:
            kind = "bool" if isinstance(each, bool) else "text" if isinstance(each, str) else "number"
            yield kind, each
