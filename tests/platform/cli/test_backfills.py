"""`holdfast backfill ...` as a user meets it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from holdfast.backfill import Backfills
from holdfast.entries import Entries, Entry, Lease
from holdfast.store import Compatibility, open_store

Holdfast = Callable[..., Any]


@pytest.fixture
def filled(learned: Path, tmp_path: Path) -> Path:
    """The store with v1 and v2, and eight entries of v1 with their images."""
    from PIL import Image

    with open_store(learned) as store:
        encoder, entries = store.versions.load("v1"), []
        for number in range(8):
            pixels = np.random.default_rng(number).integers(0, 255, (20, 20), dtype=np.uint8)
            file = tmp_path / f"{number}.png"
            Image.fromarray(pixels).save(file)
            entries.append(Entry(f"e{number}", "v1", encoder.embed([file.read_bytes()])[0], {}, str(file)))
        Entries(store).upsert(entries)
        store.compatibility.record([Compatibility("v1", "v2", 60.0, 50.0, 5.0, 15.0, True, "test")])
    return learned


def test_start_works_it_off_where_no_server_runs(holdfast: Holdfast, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "3.png").unlink()
    done = holdfast("backfill", "start", "v2", "--kind", "re-embed", "--store", filled, "--sources", tmp_path)
    assert done.code == 0, done.err
    assert "b1 is done: 7 of 8 entries moved to v2; skipped: 1 not found." in done.err
    assert "3.png): not found" in done.err
    listed = holdfast("backfill", "list", "--store", filled, "--json").json
    assert [(each["id"], each["status"], each["done"], each["left"]) for each in listed] == [
        ("b1", "done", 7, 0)
    ]
    assert "re-embed" in holdfast("backfill", "list", "--store", filled).out
    with open_store(filled) as store:
        assert Entries(store).count() == {"v1": 1, "v2": 7}


def test_images_are_read_below_named_sources_only(holdfast: Holdfast, filled: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> Any:
        return holdfast("backfill", *arguments, "--store", filled)

    sentence = call("start", "v2", "--kind", "re-embed").sentence
    assert "say which folders or URL prefixes may, with --sources" in sentence
    assert "no folder here" in call("start", "v2", "--kind", "re-embed", "--sources", "gone").sentence
    assert call("list", "--json").json == []
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "2.png").symlink_to(tmp_path / "2.png")
    done = call("start", "v2", "--kind", "re-embed", "--sources", tmp_path / "few")
    assert done.code == 1
    assert "0 of 8 entries moved to v2; skipped: 8 outside the allowed sources." in done.err
    assert "None of 8 entries was moved (8 outside the allowed sources); name the folder" in done.err
    (listed,) = call("list", "--json").json
    assert (listed["status"], listed["done"]) == ("failed", 0)
    assert "--sources" in listed["error"]
    mended = call("resume", "b1", "--sources", tmp_path, "--json")
    assert (mended.code, mended.json["status"], mended.json["done"], mended.json["error"]) == (
        0,
        "done",
        8,
        None,
    )
    assert "2.png): outside the allowed sources" in done.err


def test_pause_resume_and_cancel(holdfast: Holdfast, filled: Path, tmp_path: Path) -> None:
    def call(*arguments: object) -> Any:
        return holdfast("backfill", *arguments, "--store", filled, "--json")

    assert call("start", "v2", "--kind", "re-embed", "--detach").json["status"] == "running"
    assert call("pause", "b1").json["status"] == "paused"
    assert "--sources" in call("resume", "b1").json["error"]["message"]
    assert call("resume", "b1", "--sources", tmp_path).json["done"] == 8
    assert "done" in call("cancel", "b1").json["error"]["message"]
    assert call("pause", "b9").code == 2


def test_a_server_that_runs_does_the_work(
    holdfast: Holdfast, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as somebody holds the writer's lease, the command only watches."""
    monkeypatch.setattr("holdfast.cli.attending.LOOK_SECONDS", 0.02)
    with open_store(filled) as store, Lease.take(store):
        looked = []
        status = Backfills.get

        def get(self: Any, name: str) -> Any:
            looked.append(name)
            if len(looked) == 5:
                self.cancel(name)
            return status(self, name)

        monkeypatch.setattr("holdfast.backfill.Backfills.get", get)
        done = holdfast("backfill", "start", "v2", "--kind", "re-embed", "--store", filled, "--json")
        assert (done.json["status"], done.json["done"], done.json["owner"]) == ("cancelled", 0, None)


def test_mistakes(holdfast: Holdfast, filled: Path) -> None:
    def refused(*arguments: object) -> str:
        return str(holdfast("backfill", "start", *arguments, "--store", filled).sentence)

    assert "v9" in refused("v9")
    assert "order is 'best'" in refused("v2", "--order", "best")
    assert "kind is 'guess'" in refused("v2", "--kind", "guess")
    assert "nothing to backfill" in refused("v1", "--kind", "re-embed", "--sources", filled)
    for option, values in {
        "pace": ["0", "-1", "nan", "inf", "1e-9", "1e9"],
        "workers": ["-1", "1000000000"],
        "batch-size": ["0", "-5", "1000000000"],
    }.items():
        for value in values:
            said = refused("v2", "--kind", "re-embed", "--sources", filled, f"--{option}={value}")
            assert option.replace("-", "_") in said


def test_a_gallery_filled_as_the_docs_say_can_be_embedded_anew(
    holdfast: Holdfast, learned: Path, tmp_path: Path, pictures: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """embed, gallery import, backfill; from a relative folder, with odd names in it."""
    folder = pictures(tmp_path / "photos", splits=("gallery",))
    place = folder / "gallery" / "class-0"
    names = ["a b#c%20d?.png", "price $HOME.png", "ümläut.png"]
    for name in names:
        shutil.copy(place / "0.png", place / name)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Any:
        done = holdfast(*arguments, "--store", learned)
        assert done.code == 0, done.err
        return done

    call("embed", "v1", "folder:photos/gallery", "-o", "photos-v1.parquet")
    written = pq.read_table("photos-v1.parquet").to_pylist()
    assert {row["sample_id"]: row["source"] for row in written}["class-1/2.png"] == str(
        folder / "gallery" / "class-1" / "2.png"
    )
    call("gallery", "import", "photos-v1.parquet")
    monkeypatch.chdir("/")
    options = ["--kind", "re-embed", "--sources", folder, "--force"]
    assert "27 of 27 entries moved to v2" in call("backfill", "start", "v2", *options).err
    call("embed", "v1", "glyphs:?classes=24&instances=6", "-o", tmp_path / "glyphs.parquet")
    assert "source" not in pq.read_schema(tmp_path / "glyphs.parquet").names
