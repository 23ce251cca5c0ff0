"""What a gallery knows of the store's versions: enough to search while the database is away."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from holdfast.base import IncompatibleError
from holdfast.entries import Entries
from holdfast.index import Index, as_mapping
from holdfast.search.rules import Rules, explain_refusal, read_rules
from holdfast.store import RegisteredAdapter, Store, Version

if TYPE_CHECKING:
    from holdfast.adapters import Adapter


class Known:
    """Versions, the rules by which they meet, and the adapters that were needed so far.

    Args:
        entries, index: are told what of the store has changed. An index keeps copies of entries for the
            adapters that are in use only.
    """

    def __init__(self, store: Store, entries: Entries, index: Index) -> None:
        self._store, self._entries, self._index = store, entries, index
        self._versions: dict[str, Version] = {}
        self._versions_revision = ""
        self._rules = Rules()
        self._adapters: dict[str, Adapter] = {}  # by digest

    def refresh(self, revisions: dict[str, str]) -> None:
        """Read what has changed since the last time. `revisions`: see `Store.nonces`."""
        # A version never changes, but a restored database may have another one of the same name.
        if revisions["versions"] != self._versions_revision:
            self._versions = {}
            for version in self._store.versions.list():
                self._remember(version)
            self._entries.forget_versions()
            self._versions_revision = revisions["versions"]
        self._refresh_rules(revisions["compatibility"])

    def version(self, name: str) -> Version:
        """A version by name or alias. Raises NotFoundError."""
        found = self._versions.get(name)
        if found is None:
            found = self._store.versions.get(name)
            self._remember(found)
        return found

    def known(self, name: str) -> Version | None:
        """The version of this name, if it was asked for before."""
        return self._versions.get(name)

    @property
    def rules(self) -> Rules:
        """Those of the last look: another object once any has changed."""
        return self._rules

    def _remember(self, version: Version) -> None:
        """Under the names that stay its own: an alias may move."""
        self._versions[version.name] = version
        if version.kind == "foreign":
            self._versions[version.run] = version

    def rules_for(self, query: Version, names: Sequence[str], named: bool, obstacle: str = "") -> Rules:
        """The rules for a search of the entries of these versions.

        Where entries are left out for the first time the database is asked once more: the version may have
        been measured and promoted since the last look.

        Args:
            named: the user named these versions, so that none may be left out.
            obstacle: why no images can be embedded, so that versions that meet only in a cascade do not; ""
                if they can.

        Raises:
            IncompatibleError: `query` may search none of them, or not all those that were named.
        """
        rules, without = self._rules, bool(obstacle)
        refused = rules.refused(query.name, names, without)
        left_out = not named and len(refused) < len(names)
        if refused and not (left_out and rules.are_settled(query.name, refused)):
            rules = self._newest_rules()
            refused = rules.refused(query.name, names, without)
            if refused and (named or len(refused) == len(names)):
                raise self._incompatible(query, refused, named, obstacle)
            rules.settle(query.name, refused)
        return rules

    def adapter(self, row: RegisteredAdapter) -> "Adapter":
        """Read once. Raises StoreError for one that is damaged."""
        found = self._adapters.get(row.digest)
        if found is None:
            found = self._adapters[row.digest] = self._store.adapters.open(row)
        return found

    def project(self, projection: Version, base: str, vector: np.ndarray) -> np.ndarray:
        """What a projection makes of a vector of its base, float32 (d,)."""
        row = self.rules_for(projection, [base], named=True).pairing(projection.name, base).adapter
        assert row is not None, "a projection is the map from its base"
        mapped: np.ndarray = self.adapter(row).apply(vector[None])[0]
        return mapped

    def _newest_rules(self) -> Rules:
        self._refresh_rules(self._store.nonces()["compatibility"])
        return self._rules

    def _refresh_rules(self, revision: str) -> None:
        if revision == self._rules.revision:
            return
        # Replaced together: a slower thread may bring an older state, but never one as a newer revision.
        self._rules = read_rules(self._store, revision)
        in_use = self._rules.digests()
        # A copy first: another thread may be loading one.
        self._adapters = {
            digest: adapter for digest, adapter in dict(self._adapters).items() if digest in in_use
        }
        if (index := as_mapping(self._index)) is not None:
            index.keep_views(in_use)

    def _incompatible(
        self, query: Version, refused: Sequence[str], named: bool, obstacle: str
    ) -> IncompatibleError:
        problems = "; ".join(
            explain_refusal(self._store, query, self.version(name), obstacle) for name in refused
        )
        if named:
            return IncompatibleError(
                f"{problems}. Leave these out of `versions`, or query by a compatible version."
            )
        if all((query.name, name) in self._rules.pairings for name in refused):
            return IncompatibleError(f"{query.name} may search no entry of this gallery: {problems}.")
        return IncompatibleError(
            f"{query.name} may search no entry of this gallery: {problems}. Query by a version that may, or "
            f"measure {query.name} against them with holdfast evaluate."
        )
