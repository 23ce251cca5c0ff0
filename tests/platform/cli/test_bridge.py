"""`holdfast bridge` between two versions that were trained here, over a gallery of images in a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.store import open_store
from tests.platform.cli.conftest import Holdfast


@pytest.fixture
def gallery(
    holdfast: Holdfast, learned: Path, tmp_path: Path, pictures: Callable[..., Path]
) -> tuple[Path, Path]:
    """The store with 160 entries of v1, and the folder of their images."""
    folder = pictures(tmp_path / "photos", classes=20, images=8, splits=("all",))
    table = tmp_path / "v1.parquet"
    assert holdfast("embed", "v1", f"folder:{folder}", "-o", table, "--store", learned).code == 0
    assert holdfast("gallery", "import", table, "--store", learned).code == 0
    return learned, folder


def test_the_verdict_is_told_recorded_and_drawn(holdfast: Holdfast, gallery: tuple[Path, Path]) -> None:
    store, folder = gallery
    asked = ("bridge", "v1", "v2", "--sources", folder, "--labels", "label", "--store", store)
    found = holdfast(*asked, "--json").json
    assert found["truth"] == "labels"
    assert found["measured"] == {"queries": 80, "entries": 80}
    assert [way["way"] for way in found["ways"]][-1] == "re-embed"
    page = Path(found["page"])
    assert found["advice"] in page.read_text().replace("&#39;", "'")
    assert (page.parent / "verdict.png").read_bytes().startswith(b"\x89PNG")
    with open_store(store) as opened:
        ways = [row for row in opened.compatibility.ways() if (row.query, row.gallery) == ("v2", "v1")]
    assert {row.candidates for row in ways} == {0, 10, 50}
    said = holdfast(*asked).err
    assert "status quo" in said
    assert found["advice"].partition(":")[0] in said


def test_without_labels_it_is_provisional(holdfast: Holdfast, gallery: tuple[Path, Path]) -> None:
    store, folder = gallery
    found = holdfast("bridge", "v1", "v2", "--sources", folder, "--store", store, "--json").json
    assert (found["truth"], found["provisional"]) == ("views", True)
    assert found["agreement"][-1]["value"] == 100


def test_images_that_ask_and_images_that_are_named(holdfast: Holdfast, gallery: tuple[Path, Path]) -> None:
    store, folder = gallery
    named = ("--images", f"folder:{folder}", "--labels", "label", "--queries", f"folder:{folder}")
    found = holdfast("bridge", "v1", "v2", *named, "--store", store, "--json").json
    assert found["measured"] == {"queries": 160, "entries": 80}
    assert any("cascade needs images" in note for note in found["notes"])


def test_mistakes_are_one_sentence(holdfast: Holdfast, gallery: tuple[Path, Path], tmp_path: Path) -> None:
    store, folder = gallery
    allowed = ("--store", store, "--sources", folder)
    assert "--sources" in holdfast("bridge", "v1", "v2", "--store", store).sentence
    assert "no version 'v9'" in holdfast("bridge", "v1", "v9", *allowed).sentence
    (tmp_path / "empty").mkdir()
    elsewhere = holdfast("bridge", "v1", "v2", "--store", store, "--sources", tmp_path / "empty").sentence
    assert "160 outside the allowed sources" in elsewhere
    assert "attribute 'colour'" in holdfast("bridge", "v1", "v2", *allowed, "--labels", "colour").sentence
    assert "--sample is 0" in holdfast("bridge", "v1", "v2", *allowed, "--sample", "0").sentence
