"""Which version answers: the aliases of a traffic record, and the canary's share of the live queries."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from holdfast.base import NotFoundError, NotReadyError
from holdfast.store import Traffic


@dataclass(frozen=True)
class Routing:
    """A traffic record together with the names that it resolves. Replaced as a whole, never changed."""

    traffic: Traffic
    aliases: Mapping[str, str]
    """live, canary, shadow, writing, previous -> version; an alias that points nowhere is missing."""

    @classmethod
    def of(cls, traffic: Traffic, previous: str | None) -> Self:
        """`previous` is the query version before this record's."""
        named = {
            "live": traffic.query_version,
            "canary": traffic.canary_version,
            "shadow": traffic.shadow_version,
            "writing": traffic.write_version,
            "previous": previous,
        }
        return cls(traffic, {alias: version for alias, version in named.items() if version is not None})

    @property
    def pinned(self) -> frozenset[str]:
        """The versions that a replica keeps loaded. Not the shadow: nobody waits for it."""
        return frozenset(version for alias, version in self.aliases.items() if alias != "shadow")

    def choose(
        self,
        model: str,
        sticky: str | None,
        draw: Callable[[], float] = random.random,
        key: str | None = None,
    ) -> str:
        """The version (or the name as it came, when it is no alias) that answers a request for `model`.

        `sticky` (a user, a request id) always falls on the same side of the canary's share; without it the
        side is drawn. `key` is the name of the request's key, whose queries may all be the canary's.

        Raises NotReadyError while nothing is live, NotFoundError for an alias that points nowhere.
        """
        if model == "live" and "canary" in self.aliases and key in self.traffic.canary_keys:
            return self.aliases["canary"]
        if model == "live" and "canary" in self.aliases and self.traffic.canary_share > 0:
            position = draw() if sticky is None else share_of(sticky)
            if position < self.traffic.canary_share:
                return self.aliases["canary"]
        if model in self.aliases:
            return self.aliases[model]
        if model == "live":
            raise NotReadyError("No version is live yet; `holdfast promote VERSION` makes one live.")
        if model in ("canary", "shadow", "writing", "previous"):
            raise NotFoundError(f"No version is {model!r} at the moment; GET /v1/traffic shows the record.")
        return model


def share_of(sticky: str) -> float:
    """A fixed position in [0, 1) for a text, the same on every replica."""
    return int.from_bytes(hashlib.sha256(sticky.encode()).digest()[:8], "big") / 2**64
