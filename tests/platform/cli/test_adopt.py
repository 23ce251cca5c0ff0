"""`holdfast adopt`: a file that somebody else made becomes a version, or one sentence says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.onnx_models import FEATURES, write_onnx

Holdfast = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "small.onnx")


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.yaml"
    path.write_text("scale: -1..1\nfit: crop\nresampling: bicubic\n")
    return path


def test_the_first_version_of_a_store_may_be_somebody_elses(holdfast: Holdfast, tmp_path, file, pixels):
    store = str(tmp_path / "store")
    made = holdfast("adopt", "small", f"onnx:{file}", "--preprocessing", pixels, "--store", store, "--json")
    assert (made.json["version"], made.json["dimension"], made.json["new"]) == ("v1", FEATURES, True)
    again = holdfast("adopt", "small", f"onnx:{file}", "--preprocessing", pixels, "--store", store, "--json")
    assert again.json == {**made.json, "new": False}

    (tmp_path / "photos" / "a").mkdir(parents=True)
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / "a" / f"{number}.png")
    embedded = tmp_path / "embedded.parquet"
    assert (
        holdfast("embed", "small", f"folder:{tmp_path / 'photos'}", "-o", embedded, "--store", store).code
        == 0
    )
    assert holdfast("gallery", "import", embedded, "--store", store).code == 0
    assert "queries by v1" in holdfast("promote", "small", "--writes", "--store", store).err


def test_another_model_under_the_name_is_refused(holdfast: Holdfast, tmp_path, file, pixels):
    options = ("--preprocessing", pixels, "--store", str(tmp_path / "store"))
    assert holdfast("adopt", "small", f"onnx:{file}", *options).code == 0
    experiment = ("run", "experiments/quickstart.yaml", "--set", "name=small", *options[2:])
    assert "'small' is the name under which v1 was adopted" in holdfast(*experiment).sentence
    other = write_onnx(tmp_path / "other.onnx", seed=1)
    assert "another model" in holdfast("adopt", "small", f"onnx:{other}", *options).sentence
    assert holdfast("adopt", "other", f"onnx:{other}", *options).code == 0


def test_vectors_alone_are_a_version(holdfast: Holdfast, tmp_path):
    store = ("--store", str(tmp_path / "store"))
    command = ("adopt", "ada", "vectors:openai/text-embedding-3-small", "--dimension", "1536", *store)
    made = holdfast(*command, "--revision", "2024-01", "--json").json
    assert holdfast(*command, "--revision", "2024-01", "--json").json == {**made, "new": False}
    assert "another model" in holdfast(*command).sentence


@pytest.mark.parametrize("name", ["v3", "V3", "live", "latest", "none", "a b", "", "-x"])
def test_a_name_that_means_something_else_is_refused(holdfast: Holdfast, tmp_path, name):
    command = ("adopt", "--dimension", "4", "--store", tmp_path / "store", "--", name, "vectors:a/b")
    assert "name" in holdfast(*command).sentence
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("small.onnx", (), "names no model"),
        ("onnx:missing.onnx", (), "no file"),
        ("vectors:openai", ("--dimension", "4"), "vectors:PROVIDER/MODEL"),
        ("vectors:openai/ada", (), "--dimension"),
        ("vectors:openai/ada", ("--dimension", "1"), "dimension"),
        ("vectors:openai/ada", ("--dimension", "4", "--output", "x"), "--output says nothing"),
    ],
)
def test_what_is_no_model_is_refused_before_there_is_a_store(
    holdfast: Holdfast, tmp_path, model, options, said
):
    assert said in holdfast("adopt", "it", model, *options, "--store", tmp_path / "store").sentence
    assert not (tmp_path / "store").exists()
