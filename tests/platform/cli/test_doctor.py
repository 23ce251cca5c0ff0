"""`holdfast doctor` on the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.testing import tiny_store

Holdfast = Callable[..., Any]
NOBODY = ("--server", "http://127.0.0.1:9")


def test_what_is_wrong_is_one_screen_and_an_exit_code(holdfast: Holdfast, tmp_path: Path) -> None:
    told = holdfast("doctor", "--store", tmp_path / "none", *NOBODY)
    assert told.code == 1
    assert "holds no store" in " ".join(told.out.split())
    assert len(told.out.splitlines()) < 40
    found = holdfast("doctor", "--store", tmp_path / "none", *NOBODY, "--json")
    assert (found.code, found.json["verdict"]) == (1, "fail")
    assert {each["verdict"] for each in found.json["checks"]} <= {"ok", "warn", "fail"}
    assert not (tmp_path / "none").exists()


def test_what_only_warns_ends_well(holdfast: Holdfast, tmp_path: Path) -> None:
    tiny_store(tmp_path / "store").close()
    told = holdfast("doctor", "--store", tmp_path / "store", *NOBODY)
    assert told.code == 0
    assert "holdfast promote VERSION" in " ".join(told.out.split())
    assert "Well: " in told.out
    assert "database file" in holdfast("doctor", "--store", tmp_path / "store", *NOBODY, "--all").out
