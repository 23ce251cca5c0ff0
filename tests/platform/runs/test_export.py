"""A version as a file: the same embeddings, a batch of any size, and nothing written that is not checked."""

import shutil
import sys

import numpy as np
import pytest
import torch

from holdfast.base import ConfigError, ExportError, NotFoundError
from holdfast.models import Encoder, ModelConfig, Preprocessing
from holdfast.models.exporting import read_exported
from holdfast.runs import export as module
from holdfast.runs.export import export_version, some_inputs
from holdfast.store import Draft, open_store

pytestmark = pytest.mark.long

LARGE = ModelConfig(dimension=8, width=0.25, preprocessing=Preprocessing(size=16))
SMALL = [
    ModelConfig(dimension=8, width=0.125, preprocessing=Preprocessing(size=12, view=view))
    for view in ("plain", "edges", "local-binary-patterns")
]


def publish(store, config, task, metrics=None):
    torch.manual_seed(task)
    encoder = Encoder(config)
    with torch.no_grad():
        for _ in range(3):
            encoder(torch.rand(8, 1, config.preprocessing.size, config.preprocessing.size))
    folder = store.runs_folder / f"encoder-{task}"
    encoder.eval().save(folder)
    return store.versions.publish(
        Draft("test", 1, task, None, folder, experiment="", data_fingerprint="", metrics=metrics or {})
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "store"
    with open_store(folder) as opened:
        publish(opened, LARGE, 0)
        for task, config in enumerate(SMALL, start=1):
            publish(opened, config, task, {"distilled_from": "v1"})
    return folder


@pytest.fixture
def store(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROUNDS", 10)
    with open_store(shutil.copytree(filled, tmp_path / "store")) as opened:
        yield opened


@pytest.mark.parametrize(("format", "version"), [("torch", "v3"), ("torch", "v4"), ("onnx", "v4")])
def test_the_file_makes_the_same_embeddings(store, format, version, tmp_path):
    """v3 sees edges, v4 local binary patterns."""
    if format == "onnx":
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name)
    output = tmp_path / "exports" / "small"
    written, source = export_version(store, version, format, output)
    encoder = store.versions.load(version)
    embed = read_exported(format, output)
    for count in (1, 3, 50):
        pixels = some_inputs(encoder, count)
        np.testing.assert_allclose(embed(pixels), encoder.embed(pixels), atol=1e-4)
    assert written.size == output.stat().st_size
    assert written.difference <= 1e-4
    assert source is not None
    assert source.version == "v1"
    assert source.parameters > written.parameters
    assert min(written.milliseconds, source.milliseconds) > 0
    assert [file.name for file in output.parent.iterdir()] == ["small"]


def test_a_version_that_imitates_none_stands_alone(store, tmp_path):
    written, source = export_version(store, "v1", "torch", tmp_path / "large.pt2")
    assert written.version == "v1"
    assert source is None
    pixels = some_inputs(store.versions.load("v1"), 3)
    embed = read_exported("torch", tmp_path / "large.pt2")
    np.testing.assert_allclose(embed(pixels), store.versions.load("v1").embed(pixels), atol=1e-4)


def test_a_file_that_differs_is_not_written(store, tmp_path, monkeypatch):
    wrong = read_exported

    def shifted(format, file):
        embed = wrong(format, file)
        return lambda pixels: embed(pixels) + 2e-4

    monkeypatch.setattr(module, "read_exported", shifted)
    with pytest.raises(ExportError, match=r"differ by 0\.0002.*nothing was written"):
        export_version(store, "v2", "torch", tmp_path / "exports" / "small.pt2")
    assert not list((tmp_path / "exports").iterdir())


def test_an_unknown_version(store, tmp_path):
    with pytest.raises(NotFoundError, match="no version 'v9'"):
        export_version(store, "v9", "torch", tmp_path / "small.pt2")


def test_without_onnx_the_error_says_how_to_get_it(store, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[onnx\]'"):
        export_version(store, "v2", "onnx", tmp_path / "small.onnx")
    assert not (tmp_path / "small.onnx").exists()
