"""API keys. The secret is shown once; the database holds its hash."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from holdfast.base import ConfigError, ConflictError, NotFoundError, shown
from holdfast.store.database import keys, reading, writing

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
ID_DIGITS = 8
NAME_CHARACTERS = 64

_COLUMNS = (
    keys.c.digest, keys.c.role, keys.c.created_at, keys.c.revoked_at, keys.c.name, keys.c.expires_at
)  # fmt: skip


@dataclass(frozen=True)
class Key:
    """What is known of a key.

    Attributes:
        id: the first digits of the SHA-256 of its secret, as the access log names it.
        name: whose it is, or what for; its `id` where nobody said.
        expires_at: from then on it opens nothing; None for never.
    """

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


class Keys:
    """The API keys of a store.

    A secret has 256 random bits, so a plain SHA-256 of it cannot be searched backwards and is quick to check.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, role: Role, name: str | None = None, expires_at: datetime | None = None) -> str:
        """A new secret, to be shown once.

        Raises ConfigError for an unknown role, a name that is none, and an end that is past; ConflictError
        for a name that another key has which was not revoked.
        """
        if role not in ROLES:
            raise ConfigError(f"{role!r} is no role of an API key: choose one of {', '.join(ROLES)}.")
        if name is not None and not (name.strip() == name and 0 < len(name) <= NAME_CHARACTERS):
            raise ConfigError(
                f"{shown(name)} is no name of a key: it has 1 to {NAME_CHARACTERS} characters, and "
                "no blanks around them."
            )
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise ConfigError(
                f"A key that expires at {expires_at:%Y-%m-%d %H:%M} UTC would never open anything."
            )
        secret = f"hf_{secrets.token_urlsafe(32)}"
        row = {
            "digest": _digest(secret),
            "role": role,
            "hint": secret[:7],
            "created_at": now,
            "name": name,
            "expires_at": expires_at,
        }
        try:
            with writing(self._engine) as connection:
                connection.execute(insert(keys).values(**row))
        except IntegrityError:
            raise ConflictError(
                f"There is a key {shown(name)} already: take another name, or revoke that one first "
                f"(holdfast keys revoke {name})."
            ) from None
        return secret

    def check(self, secret: str) -> Role | None:
        """The role of a secret, None if it is unknown, expired or revoked."""
        found = self.valid().get(_digest(secret))
        return None if found is None else found.role

    def list(self) -> list[Key]:
        """All that there ever were, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(keys.c.created_at, keys.c.digest)).all()
        return [_key(row) for row in rows]

    def valid(self) -> dict[str, Key]:
        """Those that open something now, by the SHA-256 of their secrets."""
        statement = select(*_COLUMNS).where(keys.c.revoked_at.is_(None))
        now = datetime.now(UTC)
        with reading(self._engine) as connection:
            found = {row.digest: _key(row) for row in connection.execute(statement)}
        return {digest: key for digest, key in found.items() if key.state(now) == "valid"}

    def revoke(self, secret: str) -> bool:
        """Make a secret invalid; False if it was revoked, or nobody issued it."""
        with writing(self._engine) as connection:
            return _revoke(connection, _digest(secret))

    def revoke_named(self, name: str) -> Key:
        """Make a key invalid that is known by its name or its id. Raises NotFoundError, which lists the names
        that there are."""
        with writing(self._engine) as connection:
            rows = connection.execute(select(*_COLUMNS).where(keys.c.revoked_at.is_(None))).all()
            found = [row for row in rows if name in (_key(row).name, _key(row).id)]
            if not found:
                named = ", ".join(_key(row).name for row in rows) or "none"
                raise NotFoundError(f"There is no key {shown(name)} to revoke; there are: {named}.")
            _revoke(connection, found[0].digest)
            return replace(_key(found[0]), revoked_at=datetime.now(UTC))

    def count(self) -> int:
        """How many keys are valid."""
        return len(self.valid())


def _revoke(connection: Connection, digest: str) -> bool:
    statement = update(keys).where(keys.c.digest == digest, keys.c.revoked_at.is_(None))
    return connection.execute(statement.values(revoked_at=datetime.now(UTC))).rowcount > 0


def _key(row: Any) -> Key:
    short = row.digest[:ID_DIGITS]
    return Key(short, row.name or short, row.role, row.created_at, row.expires_at, row.revoked_at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
