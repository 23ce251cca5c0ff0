"""`holdfast keys` on the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.store import open_store

Holdfast = Callable[..., Any]


def test_a_key_is_made_listed_and_revoked(holdfast: Holdfast, tmp_path: Path) -> None:
    open_store(tmp_path).close()
    at = ("--store", tmp_path)
    made = holdfast("keys", "create", "shop", "--role", "write", "--expires", "90d", *at)
    secret = made.out.strip()
    assert "shown only now" in made.err
    with open_store(tmp_path) as store:
        assert store.keys.check(secret) == "write"
    listed = holdfast("keys", "list", *at)
    assert "shop" in listed.out
    assert secret not in listed.out
    (shown,) = holdfast("keys", "list", *at, "--json").json
    assert (shown["name"], shown["state"]) == ("shop", "valid")
    assert "holdfast keys revoke shop" in holdfast("keys", "create", "shop", *at).sentence
    assert holdfast("keys", "revoke", "shop", *at).code == 0
    assert "there are: none" in holdfast("keys", "revoke", "shop", *at).sentence
    with open_store(tmp_path) as store:
        assert store.keys.check(secret) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--role", "root"), "choose one of read, write, admin"),
        (("--expires", "soon"), "is no time"),
        (("--expires", "2001-01-01"), "would never open anything"),
        (("--expires", "999999999d"), "is no time"),
    ],
)
def test_mistakes_are_a_sentence(
    holdfast: Holdfast, tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    open_store(tmp_path).close()
    assert said in holdfast("keys", "create", "shop", *options, "--store", tmp_path).sentence
