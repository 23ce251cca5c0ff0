import io
from pathlib import Path

import matplotlib
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from holdfast.base import DataError
from holdfast.data import DataConfig, StreamConfig, build_stream, load_training, open_source
from holdfast.data.sources.glyphs import FONTS, label
from holdfast.data.sources.scripts import SCRIPTS
from holdfast.models import Preprocessing

FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
CHARACTERS = [(script, text) for script, texts in SCRIPTS.items() for text in texts]


@pytest.fixture(scope="module")
def few() -> pa.Table:
    return open_source("glyphs:?instances=4").read()


def pixels(table: pa.Table) -> np.ndarray:
    images = [Image.open(io.BytesIO(image)) for image in table.column("image").to_pylist()]
    assert {image.mode for image in images} == {"L"}
    return np.stack([np.asarray(image) for image in images])


def test_what_there_is(few: pa.Table) -> None:
    rows = few.drop_columns("image").to_pylist()
    classes = {row["label"]: (row["group"], row["split"]) for row in rows}
    assert len(few) == 4 * len(classes) == 4 * len(CHARACTERS)
    assert 200 <= len(classes) <= 300
    assert len({row["sample_id"] for row in rows}) == len(rows)
    assert set(few.column("split").to_pylist()) == {"train", "evaluation"}
    assert sum(split == "evaluation" for _, split in classes.values()) >= 60
    for script in SCRIPTS:
        splits = [split for group, split in classes.values() if group == script]
        assert splits.count("train") >= 2 * splits.count("evaluation") >= 8
    assert classes["Latin capital letter a"] == ("Latin", "train")


def test_train_and_evaluation_share_no_class() -> None:
    source = open_source("glyphs:?instances=2")
    train, evaluation = (set(source.read(split)["label"].to_pylist()) for split in ("train", "evaluation"))
    assert train.isdisjoint(evaluation)
    assert len(train) + len(evaluation) == len(CHARACTERS)
    with pytest.raises(DataError, match=r"no split 'test'; it has: evaluation, train\."):
        source.read("test")


def test_white_ink_fills_the_image_and_leaves_a_margin(few: pa.Table) -> None:
    ink = pixels(few)
    assert ink.shape[1:] == (28, 28)
    for border in (ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]):
        assert border.max() == 0
    assert (ink.max((1, 2)) > 100).all()
    assert ((ink > 127).mean((1, 2)) < 0.6).all()
    high, wide = ((ink > 20).any(axis).sum(1) for axis in (2, 1))
    longer = np.maximum(high, wide)
    assert longer.min() >= 18
    assert longer.max() <= 26


def test_instances_differ(few: pa.Table) -> None:
    ink = pixels(few).reshape(len(CHARACTERS), 4, -1)
    assert all(len({one.tobytes() for one in instances}) == 4 for instances in ink)


def test_the_same_every_time_and_whatever_else_there_is(few: pa.Table) -> None:
    wanted = dict(zip(few["sample_id"].to_pylist(), few["image"].to_pylist(), strict=True))
    again = open_source("glyphs:?classes=30&instances=3").read()
    assert len(again) == 90
    for name, image in zip(again["sample_id"].to_pylist(), again["image"].to_pylist(), strict=True):
        assert wanted[name] == image
    other = open_source("glyphs:?classes=30&instances=3&seed=1").read()
    assert other["sample_id"].equals(again["sample_id"])
    assert not set(other["image"].to_pylist()) & set(again["image"].to_pylist())


@pytest.mark.parametrize("classes", [6, 7, 30, 60, 150])
def test_fewer_classes_keep_their_proportions(classes: int) -> None:
    table = open_source(f"glyphs:?classes={classes}&instances=2").read()
    splits = dict(zip(table["label"].to_pylist(), table["split"].to_pylist(), strict=True))
    assert len(splits) == classes
    assert list(splits.values()).count("evaluation") == pytest.approx(classes / 3, abs=classes * 0.05 + 1)


def test_another_size() -> None:
    assert pixels(open_source("glyphs:?classes=6&instances=2&size=64").read()).shape == (12, 64, 64)


def test_the_fingerprint_names_the_parameters() -> None:
    uris = ["glyphs:", "glyphs:?classes=60", "glyphs:?instances=10", "glyphs:?seed=1", "glyphs:?size=32"]
    assert len({open_source(uri).fingerprint() for uri in uris}) == len(uris)
    assert [open_source(uri).uri for uri in uris] == uris
    assert open_source("glyphs:?instances=20").uri == open_source("glyphs:?").uri == "glyphs:"


@pytest.mark.parametrize(
    "parameters",
    [
        "?clases=60",
        "?classes",
        "?classes=many",
        "60",
        "?classes=5",
        "?classes=10000",
        "?instances=1",
        "?seed=-1",
    ],
)
def test_wrong_parameters(parameters: str) -> None:
    with pytest.raises(DataError, match=r"allowed are classes, instances, size, seed|must be \d+ to \d+"):
        open_source(f"glyphs:{parameters}")


def test_every_character_is_in_the_fonts() -> None:
    covered = [set(FT2Font(FOLDER / f"{font}.ttf").get_charmap()) for font in FONTS]
    for script, text in CHARACTERS:
        assert ord(text) in covered[0], f"{text} of {script}"
        assert sum(ord(text) in one for one in covered) >= 2, f"{text} of {script} has one font only"
    assert len({label(text) for _, text in CHARACTERS}) == len(CHARACTERS)


def shape(text: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """The ink alone, stretched to a square and slightly blurred, as a centred unit vector."""
    canvas = Image.new("L", (300, 300))
    ImageDraw.Draw(canvas).text((100, 100), text, fill=255, font=font)
    square = canvas.crop(canvas.getbbox()).resize((24, 24), Image.Resampling.BOX)
    page = Image.new("L", (28, 28))
    page.paste(square, (2, 2))
    vector = np.asarray(page.filter(ImageFilter.GaussianBlur(1)), dtype=np.float32).ravel()
    vector = vector - vector.mean()
    return vector / np.linalg.norm(vector)


def test_no_two_classes_look_the_same() -> None:
    """In no font, nor one in one font and the other in another; even if both are stretched to one square."""
    owners, shapes = [], []
    for font_name in FONTS:
        font = ImageFont.truetype(FOLDER / f"{font_name}.ttf", 72, layout_engine=ImageFont.Layout.BASIC)
        covered = FT2Font(FOLDER / f"{font_name}.ttf").get_charmap()
        for owner, (_, text) in enumerate(CHARACTERS):
            if ord(text) in covered:
                owners.append(owner)
                shapes.append(shape(text, font))
    alike = np.stack(shapes) @ np.stack(shapes).T
    alike[np.equal.outer(owners, owners)] = 0
    first, second = np.unravel_index(alike.argmax(), alike.shape)
    pair = CHARACTERS[owners[first]], CHARACTERS[owners[second]]
    assert alike.max() < 0.88, f"{pair} look the same"
    font = ImageFont.truetype(FOLDER / "DejaVuSans.ttf", 72, layout_engine=ImageFont.Layout.BASIC)
    for double in ("A\u0391", "oO", "cC", "Oo", "\u041eO"):
        assert shape(double[0], font) @ shape(double[1], font) > 0.9, "the measure knows doubles"


def test_instances_can_be_told_apart() -> None:
    """Nearest neighbours in raw pixels find the right class far above chance, and hardly a class is lost."""
    ink = pixels(open_source("glyphs:?instances=8").read()).reshape(-1, 28 * 28).astype(np.float32)
    ink /= np.linalg.norm(ink, axis=1, keepdims=True)
    alike = ink @ ink.T
    np.fill_diagonal(alike, -1)
    owners = np.repeat(np.arange(len(CHARACTERS)), 8)
    right = (owners[alike.argmax(1)] == owners).reshape(-1, 8).mean(1)
    assert right.mean() > 0.4
    assert (right == 0).mean() < 0.05


@pytest.mark.parametrize("tasks", [3, 10])
def test_enough_groups_for_streams(decoder: Preprocessing, tasks: int) -> None:
    config = DataConfig.model_validate(
        {
            "source": "glyphs:?instances=5",
            "train": {"split": "train"},
            "evaluate": {"split": "evaluation"},
        }
    )
    stream = build_stream(StreamConfig(tasks=tasks, by="group"), load_training(config, decoder), 0)
    assert min(len(task.classes) for task in stream) >= 9
