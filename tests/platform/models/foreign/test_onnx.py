"""ONNX files as models: what they may look like, and what is refused in one sentence."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from holdfast.base import ConfigError, HoldfastError, StoreError
from holdfast.models import Model, Wishes, adopt_files, load_model, probe_files
from tests.fixtures.onnx_models import FEATURES, write_onnx

FILES = list(probe_files())


@pytest.fixture
def adopt(tmp_path: Path) -> Any:
    """Adopt a file with such preprocessing into the folder `adopted`."""

    def make(file: Path | str, said: str = "scale: 0..1\n", **wishes: str) -> Model:
        (tmp_path / "said.yaml").write_text(said)
        folder = tmp_path / "adopted"
        folder.mkdir()
        return adopt_files(f"onnx:{file}", Wishes(preprocessing=tmp_path / "said.yaml", **wishes), folder)

    return make


def directly(file: Path, pixels: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of float pixels, of unit norm."""
    (answer,) = onnxruntime.InferenceSession(str(file)).run(
        ["features"], {"pixels": pixels.astype(np.float32)}
    )
    return answer / np.linalg.norm(answer, axis=1, keepdims=True)


def test_embeds_as_onnxruntime_does_and_of_unit_norm(adopt, tmp_path):
    file = write_onnx(tmp_path / "it.onnx")
    model = adopt(file, "scale: 0..255\nmean: [10, 20, 30]\nstd: [2, 3, 4]\norder: BGR\n")
    pixels = np.stack([model.prepare(each) for each in FILES])
    expected = directly(
        file, (pixels - np.array([10, 20, 30])[:, None, None]) / np.array([2, 3, 4])[:, None, None]
    )
    np.testing.assert_allclose(model.embed(FILES), expected, atol=1e-5)
    np.testing.assert_array_equal(model.embed(FILES), model.embed(pixels))
    assert (model.dimension, model.takes) == (FEATURES, {"image"})
    assert load_model(tmp_path / "adopted").contract() == model.contract()


@pytest.mark.parametrize(
    "other",
    [
        {"layout": "NHWC"},
        {"batch": 1},
        {"batch": 3},
        {"size": "s"},
        {"dtype": TensorProto.FLOAT16},
        {"dtype": TensorProto.DOUBLE},
        {"outputs": ("maps",)},
        {"outputs": ("maps",), "layout": "NHWC"},
        {"outputs": ("tokens", "features")},
        {"external": "weights.bin"},
    ],
    ids=str,
)
def test_the_same_network_in_other_forms_embeds_the_same(adopt, tmp_path, other):
    named = {"output": "features"} if len(other.get("outputs", ())) > 1 else {}
    model = adopt(write_onnx(tmp_path / "it.onnx", **other), "size: 16\nscale: -1..1\n", **named)
    pixels = np.stack([model.prepare(each) for each in FILES])
    expected = directly(write_onnx(tmp_path / "plain.onnx"), pixels / 127.5 - 1)
    atol = 1e-2 if other.get("dtype") == TensorProto.FLOAT16 else 1e-5
    np.testing.assert_allclose(model.embed(FILES), expected, atol=atol)


def test_what_takes_bytes_gets_them_as_they_are(adopt, tmp_path):
    model = adopt(write_onnx(tmp_path / "it.onnx", dtype=TensorProto.UINT8), "fit: pad\n")
    pixels = np.stack([model.prepare(each) for each in FILES])
    np.testing.assert_allclose(
        model.embed(FILES), directly(write_onnx(tmp_path / "plain.onnx"), pixels), atol=1e-5
    )


def test_one_channel_is_grey(adopt, tmp_path):
    model = adopt(write_onnx(tmp_path / "it.onnx", channels=1))
    assert model.prepare(FILES[6]).shape == (1, 16, 16)


def test_the_contract_is_of_file_and_preprocessing(tmp_path):
    def contract(file: Path, said: str) -> str:
        (tmp_path / "said.yaml").write_text(said)
        folder = Path(tmp_path / f"adopted-{len(list(tmp_path.iterdir()))}")
        folder.mkdir()
        return adopt_files(f"onnx:{file}", Wishes(preprocessing=tmp_path / "said.yaml"), folder).contract().id

    one, other = write_onnx(tmp_path / "one.onnx"), write_onnx(tmp_path / "other.onnx", seed=1)
    same = contract(one, "scale: 0..1\n")
    assert contract(one.rename(tmp_path / "moved.onnx"), "{fit: stretch, scale: 0..1}") == same
    assert (
        len({same, contract(other, "scale: 0..1\n"), contract(tmp_path / "moved.onnx", "scale: -1..1\n")})
        == 3
    )


def test_travels_in_a_pickle_without_its_folder(adopt, tmp_path, monkeypatch):
    model = adopt(write_onnx(tmp_path / "it.onnx", external="weights.bin"))
    expected = model.embed(FILES)
    pickled = pickle.dumps(model)
    (tmp_path / "adopted").rename(tmp_path / "gone")
    monkeypatch.setenv("HOLDFAST_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        np.testing.assert_array_equal(pickle.loads(pickled).embed(FILES), expected)


def test_many_threads_share_it(adopt, tmp_path):
    model = adopt(write_onnx(tmp_path / "it.onnx", batch=1))
    expected = model.embed(FILES)
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: model.embed(FILES), range(32)):
            np.testing.assert_array_equal(found, expected)


def test_a_damaged_file_is_not_believed(adopt, tmp_path):
    adopt(write_onnx(tmp_path / "it.onnx"))
    file = tmp_path / "adopted" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=r"model\.onnx is damaged"):
        load_model(tmp_path / "adopted")


@pytest.mark.parametrize(
    ("form", "said", "wishes", "sentence"),
    [
        ({}, "{}", {}, "mean and std, or scale"),
        ({}, "{scale: 0..1, sise: 16}", {}, "sise"),
        ({}, "{scale: 0..1, size: 32}", {}, "16 x 16 pixels"),
        ({}, "{scale: 0..1, channels: 1}", {}, "3 channels"),
        ({"size": "s"}, "scale: 0..1", {}, "any size"),
        ({"channels": 4}, "scale: 0..1", {}, "1 or 3 channels"),
        ({"dtype": TensorProto.UINT8}, "scale: 0..1", {}, "scale cannot be honoured"),
        ({"dtype": TensorProto.INT64}, "scale: 0..1", {}, "float or uint8"),
        ({"outputs": ("tokens",)}, "scale: 0..1", {}, "rank 4"),
        ({"outputs": ("maps", "features")}, "scale: 0..1", {}, "--output"),
        ({}, "scale: 0..1", {"output": "logits"}, "features"),
        ({"scale": float("nan")}, "scale: 0..1", {}, "NaN"),
        ({"scale": 0.0}, "scale: 0..1", {}, "zero vectors"),
    ],
    ids=str,
)
def test_what_is_no_embedding_model_is_refused(adopt, tmp_path, form, said, wishes, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        adopt(write_onnx(tmp_path / "it.onnx", **form), said, **wishes)
    assert "\n" not in str(refused.value).replace(":\n  ", "")


def test_what_is_no_file_of_that_kind_is_refused(adopt, tmp_path):
    (tmp_path / "words.onnx").write_text("no model")
    with pytest.raises(ConfigError, match="no ONNX file"):
        adopt(tmp_path / "words.onnx")


def test_weights_that_are_not_beside_it_are_missed(adopt, tmp_path):
    file = write_onnx(tmp_path / "it.onnx", external="weights.bin")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(HoldfastError, match=r"weights\.bin"):
        adopt(file)
