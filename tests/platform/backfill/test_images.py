"""Reading the images of entries. What is made of them: test_backfill.py."""

from pathlib import Path

import pytest

from holdfast.backfill.images import read_image
from holdfast.backfill.sources import Sources, UnreadableError

IMAGE = b"only its bytes count here"


def test_an_image_is_read_or_it_is_said_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a b.png"
    file.write_bytes(IMAGE)
    (tmp_path / "large.png").write_bytes(IMAGE + b"x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("holdfast.backfill.images.LARGEST", len(IMAGE))
    sources = Sources.of(["."])
    for source in (str(file), file.as_uri(), "a b.png"):
        assert read_image(source, sources) == IMAGE
    for source, why in (
        (None, "no source"),
        ("", "no source"),
        ("gone.png", "not found"),
        (".", "unreadable"),
        ("large.png", "too large"),
        ("/etc/hostname", "outside the allowed sources"),
    ):
        with pytest.raises(UnreadableError, match=why):
            read_image(source, sources)
