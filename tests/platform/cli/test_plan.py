"""`holdfast plan` as somebody meets it who has to decide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Holdfast = Callable[..., Any]
ASKED = ("--entries", "1e9", "--dimension", 512, "--queries-per-second", 2000, "--upgrade-every", "30d")


def test_a_plan_has_every_index_and_every_way(holdfast: Holdfast) -> None:
    found = holdfast("plan", *ASKED, "--json").json
    assert [each["kind"] for each in found["indexes"]] == ["exact", "sq8", "pq4", "milvus"]
    assert [each["way"] for each in found["upgrades"]] == ["none", "map", "cascade", "re-embed"]
    assert found["demand"]["entries"] == 10**9
    text = holdfast("plan", *ASKED).out
    assert "1,000,000,000 entries of 512 dimensions" in text
    for word in ("exact", "milvus", "cascade", "re-embed", "Database", "In all"):
        assert word in text


def test_fewer_machines_for_less(holdfast: Holdfast) -> None:
    def month(*more: object) -> float:
        totals: dict[str, float] = holdfast("plan", *ASKED, *more, "--json").json["totals"]
        return totals["re-embed"]

    assert month("--queries-per-second", 20) < month()
    assert month("--price-per-hour", 4) > month()
    assert month("--upgrade-every", "365d") < month()
    assert month("--images-per-second", 5000) < month()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--upgrade-every", "monthly"), "--upgrade-every 'monthly' is no time: write 30d, 12h or 90m"),
        (("--upgrade-every", "1m"), "--upgrade-every: input should be greater than or equal to 3600"),
        (("--entries", "0"), "--entries: input should be greater"),
        (("--entries", "nan"), "--entries nan"),
        (("--entries", "1e40"), "--entries 1e+40"),
        (("--dimension", "1"), "--dimension: input should be greater"),
        (("--recall", "1.5"), "--recall: input should be less than 1"),
        (("--queries-per-second", "nan"), "--queries-per-second: "),
        (("--machine-memory", "0"), "--machine-memory: "),
        (("--price-per-hour", "-1"), "--price-per-hour: "),
        (("--touched", "2"), "--touched: "),
        (("--constants", "missing.json"), "missing.json holds no constants"),
    ],
)
def test_what_cannot_be_is_refused(
    holdfast: Holdfast, tmp_path: Path, options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = holdfast("plan", *ASKED, *options)
    assert refused.code == 2
    assert said in " ".join(refused.err.split())
