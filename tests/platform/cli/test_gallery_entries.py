"""Entries as the command line lists, counts and deletes them."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.entries import Entries, Entry, Lease
from holdfast.store import open_store

Holdfast = Any


@pytest.fixture
def shelves(learned: Path) -> Path:
    """Seven entries of v1 and v2, on two shelves."""
    with open_store(learned) as store:
        vectors = np.eye(7, store.versions.get("v1").dimension, dtype=np.float32)
        batch = [
            Entry(
                f"e{n}",
                "v1" if n < 5 else "v2",
                vectors[n],
                {"shelf": n % 2, "label": "[red]"},
                f"/p/{n}.png",
            )
            for n in range(7)
        ]
        Entries(store).upsert(batch)
    return learned


def ids(listed: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in listed["entries"]]


def test_entries_are_listed_in_pages_and_counted(holdfast: Holdfast, shelves: Path) -> None:
    def ask(verb: str, *options: object) -> Any:
        return holdfast("gallery", verb, *options, "--store", shelves, "--json").json

    first = ask("list", "--limit", 3)
    assert (ids(first), first["next"]) == (["e0", "e1", "e2"], "e2")
    rest = ask("list", "--after", first["next"])
    assert (ids(rest), rest["next"]) == (["e3", "e4", "e5", "e6"], None)
    assert first["entries"][1] == {
        "id": "e1", "embedded_by": "v1", "attributes": {"shelf": 1, "label": "[red]"}, "source": "/p/1.png",
        "seq": 2, "mapped_from": None, "mapped_by": None,
    }  # fmt: skip
    odd = ("--filter", '{"shelf": 1}')
    assert ids(ask("list", *odd)) == ["e1", "e3", "e5"]
    assert ids(ask("list", *odd, "--version", "v2")) == ["e5"]
    assert ids(ask("list", "--version", "v1", "--version", "v2", "--limit", 100)) == [
        f"e{n}" for n in range(7)
    ]
    assert ask("count") == {"count": 7}
    assert ask("count", *odd, "--version", "v1") == {"count": 2}
    told = holdfast("gallery", "list", "--limit", 2, "--store", shelves).out
    for part in ("e0", "v1", "shelf: 1", "[red]", "/p/1.png", "There are more: --after 'e1'"):
        assert part in told
    assert (
        "There are none." in holdfast("gallery", "list", "--filter", '{"shelf": 9}', "--store", shelves).out
    )
    assert "1 entry." in holdfast("gallery", "count", *odd, "--version", "v2", "--store", shelves).out


def test_what_matches_is_deleted_and_the_rest_stays(holdfast: Holdfast, shelves: Path) -> None:
    def delete(*options: object) -> Any:
        return holdfast("gallery", "delete", *options, "--yes", "--store", shelves, "--json").json

    assert delete("e0", "nobody", "e0") == {"deleted": 1, "missing": ["nobody"], "seq": 8}
    assert delete("--filter", '{"shelf": 1}', "--version", "v1")["deleted"] == 2
    assert delete("--filter", '{"shelf": 9}')["deleted"] == 0
    left = holdfast("gallery", "list", "--store", shelves, "--json").json
    assert ids(left) == ["e2", "e4", "e5", "e6"]
    assert delete("--filter", "{}")["deleted"] == 4


def test_nothing_goes_without_a_yes(
    holdfast: Holdfast, shelves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("gallery", "delete", "--version", "v1", "--store", shelves)
    said = holdfast(*asked).sentence
    assert "5 entries of 7 would be deleted" in said
    assert "--yes" in said
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    questions = []

    def confirm(question: str, **options: Any) -> bool:
        questions.append(question)
        return len(questions) > 1

    monkeypatch.setattr("typer.confirm", confirm)
    assert "Nothing was deleted." in holdfast(*asked).err
    assert holdfast("gallery", "count", "--store", shelves, "--json").json == {"count": 7}
    assert "5 entries deleted" in holdfast(*asked).err
    assert questions == ["Delete 5 entries of 7?"] * 2


def test_mistakes_are_said(holdfast: Holdfast, shelves: Path) -> None:
    def refused(*arguments: object) -> str:
        return str(holdfast("gallery", *arguments, "--store", shelves).sentence)

    assert "Say what goes" in refused("delete", "--yes")
    assert "Say what goes" in refused("delete", "e1", "--version", "v1", "--yes")
    assert "is no JSON" in refused("list", "--filter", "{shelf: 1}")
    assert "shelf" in refused("count", "--filter", '{"shelf": {"near": 1}}')
    assert "no version 'v9'" in refused("count", "--version", "v9")
    with open_store(shelves) as store, Lease.take(store):
        assert "has a writer" in refused("delete", "e1", "--yes")
        assert holdfast("gallery", "count", "--store", shelves).code == 0
