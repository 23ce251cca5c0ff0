"""API keys. The secret is shown once; the database holds its hash."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Literal, get_args

from sqlalchemy import Engine, insert, select, update

from holdfast.base import ConfigError
from holdfast.store.database import keys, reading, writing

Role = Literal["read", "write", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


class Keys:
    """The API keys of a store.

    A secret has 256 random bits, so a plain SHA-256 of it cannot be searched backwards and is quick to check.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, role: Role) -> str:
        """A new secret, to be shown once. Raises ConfigError for an unknown role."""
        if role not in ROLES:
            raise ConfigError(f"{role!r} is no role of an API key: choose one of {', '.join(ROLES)}.")
        secret = f"hf_{secrets.token_urlsafe(32)}"
        row = {
            "digest": _digest(secret),
            "role": role,
            "hint": secret[:7],
            "created_at": datetime.now(UTC),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(keys).values(**row))
        return secret

    def check(self, secret: str) -> Role | None:
        """The role of a secret, None if it is unknown or revoked."""
        statement = select(keys.c.role).where(keys.c.digest == _digest(secret), keys.c.revoked_at.is_(None))
        with reading(self._engine) as connection:
            return connection.execute(statement).scalar_one_or_none()

    def roles(self) -> dict[str, Role]:
        """The role of every valid key, by the SHA-256 of its secret."""
        statement = select(keys.c.digest, keys.c.role).where(keys.c.revoked_at.is_(None))
        with reading(self._engine) as connection:
            return {row.digest: row.role for row in connection.execute(statement)}

    def revoke(self, secret: str) -> bool:
        """Make a secret invalid; False if it was not valid."""
        statement = (
            update(keys)
            .where(keys.c.digest == _digest(secret), keys.c.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
        )
        with writing(self._engine) as connection:
            return connection.execute(statement).rowcount > 0

    def count(self) -> int:
        """How many keys are valid."""
        with reading(self._engine) as connection:
            return len(connection.execute(select(keys.c.digest).where(keys.c.revoked_at.is_(None))).all())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
