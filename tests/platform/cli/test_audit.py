"""Who changed the traffic, and why."""

import getpass
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.testing import tiny_store

Holdfast = Callable[..., Any]


def test_a_promotion_says_who_made_it_and_why(holdfast: Holdfast, tmp_path: Path) -> None:
    tiny_store(tmp_path / "store").close()
    at = ("--store", tmp_path / "store", "--json")
    assert holdfast("promote", "v1", *at).json["note"] == "promote v1"
    made = holdfast("promote", "v2", "--why", "two weeks without complaints", *at).json
    assert made["note"] == "two weeks without complaints"
    assert made["made_by"] == f"{getpass.getuser()}@{socket.gethostname()}"
    back = holdfast("rollback", *at).json
    assert (back["query_version"], back["made_by"]) == ("v1", made["made_by"])
    told = holdfast("traffic", *at).json
    assert [(each["epoch"], each["query_version"]) for each in told] == [(3, "v1"), (2, "v2"), (1, "v1")]
    shown = " ".join(holdfast("traffic", "--store", tmp_path / "store", "--limit", "2").out.split())
    assert "queries: v1 to v2" in shown
    assert "queries: none to v1" not in shown
