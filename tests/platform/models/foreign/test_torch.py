"""Files of torch.export as models, our own exports among them."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.base import ConfigError
from holdfast.models import (
    Encoder,
    ModelConfig,
    Preprocessing,
    Wishes,
    adopt_files,
    probe_files,
    write_exported,
)

FILES = list(probe_files())


class Small(nn.Module):
    """Two answers: features, and maps."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 12, 3, 2)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.convolution(pixels).tanh()
        return maps.mean((2, 3)), maps


def write_program(path: Path, batch: int | None = None) -> Path:
    torch.manual_seed(0)
    shapes = None if batch else {"pixels": {0: torch.export.Dim("batch")}}
    given = torch.zeros(batch or 2, 3, 16, 16)
    torch.export.save(torch.export.export(Small().eval(), (given,), dynamic_shapes=shapes), path)
    return path


@pytest.fixture
def adopt(tmp_path: Path) -> Any:
    def make(model: str, said: str | None = "scale: 0..1\n", **wishes: str) -> Any:
        file = None
        if said is not None:
            file = tmp_path / "said.yaml"
            file.write_text(said)
        folder = tmp_path / f"adopted-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return adopt_files(model, Wishes(preprocessing=file, **wishes), folder)

    return make


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_its_outputs_are_named_by_the_program(adopt, tmp_path, batch):
    file = write_program(tmp_path / "small.pt2", batch)
    with pytest.raises(ConfigError, match="--output") as refused:
        adopt(f"torch:{file}")
    maps, features = (word for word in ("tanh", "mean") if word in str(refused.value))
    both = [adopt(f"torch:{file}", output=name).embed(FILES) for name in (maps, features)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    assert both[0].shape == (len(FILES), 12)


@pytest.mark.parametrize(("kind", "format"), [("torch", "torch"), ("onnx", "onnx")])
def test_our_own_exports_come_back_in(adopt, tmp_path, kind, format):
    preprocessing = Preprocessing(size=16, channels=3, fit="pad", mean=(0.4, 0.5, 0.6), std=0.3, view="edges")
    torch.manual_seed(0)
    encoder = Encoder(ModelConfig(dimension=8, width=0.25, preprocessing=preprocessing)).eval()
    write_exported(encoder, format, tmp_path / "own.pt2")
    back = adopt(f"{kind}:{tmp_path / 'own.pt2'}", said=None)
    np.testing.assert_allclose(back.embed(FILES), encoder.embed(FILES), atol=1e-5)


def test_code_of_its_own_is_never_run(adopt, tmp_path):
    file = write_program(tmp_path / "small.pt2")
    changed = tmp_path / "changed.pt2"
    pickled = io.BytesIO()
    torch.save({"run": print}, pickled)
    with zipfile.ZipFile(file) as given, zipfile.ZipFile(changed, "w", zipfile.ZIP_STORED) as made:
        for name in given.namelist():
            hostile = "/sample_inputs/" in name
            made.writestr(name, pickled.getvalue() if hostile else given.read(name))
    with pytest.raises(ConfigError, match="never run"):
        adopt(f"torch:{changed}")


def test_what_is_no_such_file_is_refused(adopt, tmp_path):
    (tmp_path / "words.pt2").write_text("no model")
    with pytest.raises(ConfigError, match=r"no file that torch\.export wrote"):
        adopt(f"torch:{tmp_path / 'words.pt2'}")
