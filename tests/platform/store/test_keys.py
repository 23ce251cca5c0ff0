from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.base import ConfigError, ConflictError, NotFoundError
from holdfast.store import Store, open_store
from holdfast.store.keys import ROLES


def test_a_key_has_its_role_until_it_is_revoked(store: Store) -> None:
    secrets = {role: store.keys.create(role) for role in ROLES}
    assert len(set(secrets.values())) == 3
    assert {role: store.keys.check(secret) for role, secret in secrets.items()} == {
        role: role for role in ROLES
    }
    assert store.keys.revoke(secrets["write"])
    assert store.keys.check(secrets["write"]) is None
    assert not store.keys.revoke(secrets["write"])
    assert store.keys.count() == 2


@pytest.mark.parametrize("secret", ["", "hf_", "admin", "' OR 1=1 --", "\udcff", "é" * 1000])
def test_what_is_no_key_has_no_role(store: Store, secret: str) -> None:
    store.keys.create("admin")
    assert store.keys.check(secret) is None


def test_an_unknown_role_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="read, write, admin"):
        store.keys.create("root")  # type: ignore[arg-type]


def test_the_store_does_not_hold_the_secret(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        secret = store.keys.create("admin")
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("holdfast.db*"))
    assert secret.encode() not in held
    assert secret[8:].encode() not in held


def test_a_key_has_a_name_and_is_revoked_by_it(store: Store) -> None:
    secret = store.keys.create("read", "the shop's app")
    nameless = store.keys.create("write")
    with pytest.raises(ConflictError, match="holdfast keys revoke"):
        store.keys.create("admin", "the shop's app")
    assert store.keys.revoke_named("the shop's app").role == "read"
    assert store.keys.check(secret) is None
    with pytest.raises(NotFoundError, match="to revoke; there are:"):
        store.keys.revoke_named("the shop's app")
    again = store.keys.create("admin", "the shop's app")
    assert store.keys.check(again) == "admin"
    by_id = next(key for key in store.keys.list() if key.role == "write")
    assert by_id.name == by_id.id
    store.keys.revoke_named(by_id.id)
    assert store.keys.check(nameless) is None
    assert [key.state(datetime.now(UTC)) for key in store.keys.list()].count("revoked") == 2


def test_a_key_expires(store: Store) -> None:
    now = datetime.now(UTC)
    secret = store.keys.create("read", "for a day", now + timedelta(days=1))
    assert store.keys.check(secret) == "read"
    (key,) = store.keys.list()
    assert key.expires_at == now + timedelta(days=1)
    assert [key.state(now + timedelta(days=days)) for days in (0, 1)] == ["valid", "expired"]
    with pytest.raises(ConfigError, match="would never open anything"):
        store.keys.create("read", "too late", now - timedelta(days=1))


@pytest.mark.parametrize("name", ["", " ", " blank before", "x" * 65])
def test_what_is_no_name_of_a_key(store: Store, name: str) -> None:
    with pytest.raises(ConfigError, match="no name of a key"):
        store.keys.create("read", name)
