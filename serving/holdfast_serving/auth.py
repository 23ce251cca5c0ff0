"""Who may do what: keys with roles, read < write < admin."""

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, get_args

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from holdfast.errors import ConfigError
from holdfast_serving.errors import ForbiddenError, UnauthorizedError

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


class Keyring(Protocol):
    """Tells a key's role, or None for a key that nobody issued. May block for a database query."""

    def check(self, secret: str) -> str | None: ...


def hash_key(secret: str) -> str:
    """Keys are long and random, so a plain SHA-256 is enough to keep them out of memory and logs."""
    return hashlib.sha256(secret.encode()).hexdigest()


def parse_keys(text: str) -> tuple[tuple[str, str], ...]:
    """`read:KEY,admin:KEY` -> pairs (role, hash). Raises ConfigError, never with a key in it."""
    pairs: list[tuple[str, str]] = []
    for position, item in enumerate((item.strip() for item in text.split(",")), start=1):
        if not item:
            continue
        role, colon, secret = item.partition(":")
        if not colon or role not in ROLES:
            raise ConfigError(
                f"HOLDFAST_API_KEYS: item {position} is not role:key with a role of {', '.join(ROLES)}."
            )
        if len(secret) < 8:
            raise ConfigError(f"HOLDFAST_API_KEYS: the key of item {position} has fewer than 8 characters.")
        pairs.append((role, hash_key(secret)))
    if text.strip() and not pairs:
        raise ConfigError("HOLDFAST_API_KEYS: no key in it; write role:key,role:key.")
    return tuple(pairs)


class FixedKeys:
    """The keys of the configuration. Every comparison takes the same time, whichever key it is."""

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._pairs = pairs

    def check(self, secret: str) -> str | None:
        digest = hash_key(secret)
        found: str | None = None
        for role, expected in self._pairs:
            if hmac.compare_digest(digest, expected):
                found = role
        return found


class Gatekeeper:
    """Checks a key against a keyring, and remembers the good ones for a few seconds.

    Remembering spares most requests a database query; a withdrawn key works for `memory_seconds` more.
    """

    def __init__(
        self,
        keyring: Keyring,
        in_thread: Callable[[Callable[[str], str | None], str], Awaitable[str | None]],
        memory_seconds: float = 5.0,
    ) -> None:
        self._keyring = keyring
        self._in_thread = in_thread
        self._memory_seconds = memory_seconds
        self._known: dict[str, tuple[str, float]] = {}

    async def role(self, secret: str) -> str | None:
        digest = hash_key(secret)
        known = self._known.get(digest)
        now = time.monotonic()
        if known is not None and known[1] > now:
            return known[0]
        role = await self._in_thread(self._keyring.check, secret)
        if role is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) > 1000:
            self._known.clear()
        self._known[digest] = (role, now + self._memory_seconds)
        return role


class Require(SecurityBase):
    """A FastAPI dependency that lets a request pass whose key reaches `role`.

    One dependency: FastAPI's two header schemes below a third would cost more than a small search does.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
        self.model = HTTPBearerModel(description="The API key (also taken from the header X-API-Key).")
        self.scheme_name = "API key"

    async def __call__(self, request: Request) -> None:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            secret = request.headers.get("x-api-key", "")
        if not secret:
            raise UnauthorizedError("A key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY.")
        held = await request.app.state.gatekeeper.role(secret)
        if held is None:
            raise UnauthorizedError("This key is not known.")
        if ROLES.index(held) < ROLES.index(self._role):
            raise ForbiddenError(f"This key has the role {held}; {request.url.path} needs {self._role}.")


def require(role: Role) -> Any:
    """`dependencies=[require("read")]` on a route or a router."""
    return Depends(Require(role))
