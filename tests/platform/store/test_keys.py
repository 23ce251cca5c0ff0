from pathlib import Path

import pytest

from holdfast.base import ConfigError
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
