"""A tiny archive in the official layout becomes the Parquet file that the experiments read."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

SCRIPT = Path(__file__).parents[2] / "experiments" / "prepare_omniglot.py"
DATA = Path(os.environ.get("HOLDFAST_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture(scope="module")
def prepare_omniglot() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prepare_omniglot", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def drawing(offset: int = 0, width: int = 3) -> bytes:
    """105x105, 1 bit, a frame of black strokes on white."""
    image = Image.new("1", (105, 105), 1)
    ImageDraw.Draw(image).rectangle((20 + offset, 20, 80 + offset, 80), outline=0, width=width)
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def archive(path: Path, split: str, characters: dict[str, tuple[str, ...]], drawers: int = 3) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        target.writestr(f"images_{split}/", "")
        target.writestr(f"__MACOSX/images_{split}/A/character01/._0001_01.png", b"no image")
        target.writestr(f"images_{split}/.DS_Store", b"no image")
        for label, numbers in reversed(characters.items()):
            for number in numbers:
                for drawer in range(drawers, 0, -1):
                    target.writestr(f"images_{split}/{label}/{number}_{drawer:02d}.png", drawing(drawer))
    return path


@pytest.fixture
def archives(tmp_path: Path) -> tuple[Path, Path]:
    background = archive(
        tmp_path / "background.zip",
        "background",
        {"Braille/character01": ("0002",), "Braille/character02": ("0003",), "N_Ko/character01": ("0005",)},
    )
    evaluation = archive(tmp_path / "evaluation.zip", "evaluation", {"Atlantean/character01": ("0004",)})
    return background, evaluation


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_writes_every_drawing_in_order(archives: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "omniglot.parquet"
    done = run(*archives, "-o", output)
    assert (done.returncode, done.stdout) == (0, f"{output}: 12 images\n")
    rows = pq.read_table(output).drop_columns("image").to_pylist()
    assert rows[:2] == [
        {
            "label": "Atlantean/character01",
            "split": "evaluation",
            "sample_id": f"0004_{drawer}",
            "group": "Atlantean",
        }
        for drawer in ("01", "02")
    ]
    assert rows == sorted(rows, key=lambda row: (row["label"], row["sample_id"]))
    assert {row["label"] for row in rows} == {
        "Atlantean/character01",
        "Braille/character01",
        "Braille/character02",
        "N_Ko/character01",
    }
    assert {row["split"] for row in rows if row["group"] != "Atlantean"} == {"background"}
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_images_are_small_black_on_white_and_unbroken(prepare_omniglot: ModuleType) -> None:
    for offset in range(4):
        for width in (2, 3, 4):
            small = Image.open(io.BytesIO(prepare_omniglot.shrink(drawing(offset, width))))
            assert (small.mode, small.size) == ("1", (28, 28))
            ink = ~np.asarray(small)
            assert 0 < ink.mean() < 0.3
            if width > 2:
                assert ink[12].sum() >= 2, "both upright strokes cross the middle row"
                assert ink[:, 12].sum() >= 2, "both level strokes cross the middle column"


def test_same_layout_as_the_reference_file(archives: tuple[Path, Path], tmp_path: Path) -> None:
    reference = DATA / "omniglot.parquet"
    if not reference.exists():
        pytest.skip(f"{reference} is not there")
    output = tmp_path / "omniglot.parquet"
    assert run(*archives, "-o", output).returncode == 0
    ours, theirs = pq.ParquetFile(output), pq.ParquetFile(reference)
    assert ours.schema_arrow.equals(theirs.schema_arrow)
    for column in range(5):
        mine, other = (file.metadata.row_group(0).column(column) for file in (ours, theirs))
        assert mine.compression == other.compression
    names = theirs.read(["label", "sample_id"]).to_pylist()
    assert names == sorted(names, key=lambda row: (row["label"], row["sample_id"]))


def test_row_groups(prepare_omniglot: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_omniglot, "ROW_GROUP", 4)
    background = archive(tmp_path / "b.zip", "background", {"A/character01": ("0001", "0002")})
    evaluation = archive(tmp_path / "e.zip", "evaluation", {"B/character01": ("0003",)})
    prepare_omniglot.prepare(background, evaluation, tmp_path / "o.parquet")
    metadata = pq.ParquetFile(tmp_path / "o.parquet").metadata
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [4, 4, 1]


@pytest.mark.parametrize("mistake", ["missing", "no archive", "swapped"])
def test_mistakes_are_one_sentence(archives: tuple[Path, Path], tmp_path: Path, mistake: str) -> None:
    background, evaluation = archives
    if mistake == "missing":
        background = tmp_path / "none.zip"
    elif mistake == "no archive":
        background.write_bytes(b"no archive")
    else:
        background, evaluation = evaluation, background
    done = run(background, evaluation, "-o", tmp_path / "o.parquet")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "error:" in done.stderr.splitlines()[-1]
    assert list(tmp_path.glob("o.parquet*")) == []
