"""Who may do what: keys with roles, read < write < admin."""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.datastructures import Headers

from holdfast.base import ConfigError, NotReadyError
from holdfast.store import ROLES, Key, Role
from holdfast_serving.http.errors import ForbiddenError, UnauthorizedError
from holdfast_serving.threads import run_in

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""How long a known key waits for the keys to be read anew, and how long nobody tries after a failure."""
UNKNOWN_SECONDS = 5.0
"""How long an unknown key waits for them."""


class Keyring(Protocol):
    """Knows all valid keys, by their hashes. May block for a database query."""

    def valid(self) -> Mapping[str, Key]: ...


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
    """The keys of the configuration. They have no names, and no end."""

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        now = datetime.now(UTC)
        self._keys = {digest: Key(digest[:8], digest[:8], cast(Role, role), now) for role, digest in pairs}

    def valid(self) -> Mapping[str, Key]:
        return self._keys


class Gatekeeper:
    """Tells what a key may by a copy of all keys, which one thread of its own reads anew now and then.

    A key that is in the copy costs no query; a withdrawn one works for `memory_seconds` more. A key that is
    not is looked for again in a copy that is read after it was shown, at most one in `pause_seconds` however
    many there are: a flood of them costs five small queries a second and no memory. While the database cannot
    be read, the keys of the last copy stay good.
    """

    def __init__(self, keyring: Keyring, memory_seconds: float = 5.0, pause_seconds: float = 0.2) -> None:
        self._keyring = keyring
        self._memory_seconds = memory_seconds
        self._pause_seconds = pause_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keys")
        self._keys: Mapping[str, Key] = {}
        self._copied = -math.inf  # when the reading of the copy began
        self._reading: asyncio.Task[None] | None = None
        self._asked = -math.inf  # when the last reading was asked for
        self._failed = -math.inf  # when the last one failed, if it did

    def remembered(self, secret: str) -> Key | None:
        """What the copy knows of it, if it is new enough for that; None where `key` has to be asked."""
        found = self._keys.get(hash_key(secret))
        if found is None or self._copied + self._memory_seconds < time.monotonic():
            return None
        return found if found.state(datetime.now(UTC)) == "valid" else None

    async def key(self, secret: str) -> Key | None:
        """What is known of it, or None for one that nobody issued, or that opens nothing any more.

        Raises what reading the keys raises, and NotReadyError when that takes too long, for a key that is not
        in the copy.
        """
        digest = hash_key(secret)
        now = time.monotonic()
        known = self._keys.get(digest)
        if known is None:
            await self._newer_than(now)
        elif self._copied + self._memory_seconds < now and self._failed + PATIENCE_SECONDS < now:
            reading = self._read_again()
            await asyncio.wait((reading,), timeout=self._asked + PATIENCE_SECONDS - now)
        found = self._keys.get(digest)
        # The copy may be old, where the database is away.
        return found if found is None or found.state(datetime.now(UTC)) == "valid" else None

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _newer_than(self, moment: float) -> None:
        try:
            async with asyncio.timeout(UNKNOWN_SECONDS):
                while self._copied < moment:
                    await asyncio.shield(self._read_again())
        except TimeoutError:
            raise NotReadyError("The keys cannot be read at the moment; try again in a second.") from None

    def _read_again(self) -> asyncio.Task[None]:
        """The reading that is under way, or a new one."""
        # Done, and not None: who awaits one that has ended goes on at once, before any callback has run.
        if self._reading is None or self._reading.done():
            self._asked = time.monotonic()
            self._reading = asyncio.get_running_loop().create_task(self._read())
            # Those who know their key wait for it without taking the error.
            self._reading.add_done_callback(lambda reading: reading.cancelled() or reading.exception())
        return self._reading

    async def _read(self) -> None:
        last = max(self._copied, self._failed)
        await asyncio.sleep(max(0.0, last + self._pause_seconds - time.monotonic()))
        began = time.monotonic()
        try:
            self._keys = await run_in(self._thread, self._keyring.valid)
        except Exception as error:
            self._failed = time.monotonic()
            logger.warning("the keys could not be read, those of the last copy stay good: %s", error)
            raise
        self._copied, self._failed = began, -math.inf


def secret_of(headers: Headers) -> str:
    """The key that a request shows, empty if it shows none."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")


def check_shown(secret: str) -> None:
    """Raises UnauthorizedError for no key."""
    if not secret:
        raise UnauthorizedError("A key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY.")


def check_known(key: Key | None) -> Key:
    """The key. Raises UnauthorizedError for none."""
    if key is None or key.role not in ROLES:
        raise UnauthorizedError("This key is not known, or no longer valid.")
    return key


class Require(SecurityBase):
    """A FastAPI dependency that lets a request pass whose key reaches `role`.

    One dependency: FastAPI's two header schemes below a third would cost more than a small search does.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
        self.model = HTTPBearerModel(description="The API key (also taken from the header X-API-Key).")
        self.scheme_name = "API key"

    async def __call__(self, request: Request) -> None:
        check_shown(secret_of(request.headers))
        # `ReceiveWhole` has looked it up, before it received the body.
        held = check_known(request.scope["state"].get("key")).role
        if ROLES.index(held) < ROLES.index(self._role):
            raise ForbiddenError(f"This key has the role {held}; {request.url.path} needs {self._role}.")


def require(role: Role) -> Any:
    """`dependencies=[require("read")]` on a route or a router."""
    return Depends(Require(role))
