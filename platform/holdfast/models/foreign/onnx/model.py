"""Models as ONNX files, run by onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from holdfast.base import ConfigError
from holdfast.models.foreign.describing import describe_files
from holdfast.models.foreign.network import FileConfig, Network, batches_of
from holdfast.models.foreign.onnx.files import copy_model, open_session, read_metadata, shape_of
from holdfast.models.foreign.onnx.text import OnnxText, TextTower, adopt_text
from holdfast.models.foreign.pooling import pooled
from holdfast.models.foreign.reading import own_description, read_preprocessing
from holdfast.models.foreign.signature import Order, choose_output, read_input
from holdfast.models.foreign.wishes import Wishes

MODEL = "model.onnx"
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_BYTES = "tensor(uint8)"


class OnnxConfig(FileConfig):
    """Which of a file's outputs is meant, and how it wants its pixels."""

    kind: Literal["onnx"] = "onnx"
    output: str
    layout: Order = "NCHW"
    text: TextTower | None = Field(None, exclude_if=lambda value: value is None)

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: a file."""
        wishes.require_only("onnx", "preprocessing", "output", "text", "tokenizer", "text_output")
        if (wishes.text is None) != (wishes.tokenizer is None):
            raise ConfigError(
                "A text tower is two files: give --text FILE.onnx and --tokenizer tokenizer.json."
            )
        copy_model(Path(reference), folder, MODEL)
        own = own_description(read_metadata(folder / MODEL))
        session = open_session(folder / MODEL, reference)
        taken = _only_input(session, reference)
        given = read_input(shape_of(taken), taken.type == _BYTES, reference)
        outputs = {each.name: shape_of(each) for each in session.get_outputs()}
        config = cls(
            preprocessing=read_preprocessing(wishes.preprocessing, given, own, reference),
            output=choose_output(outputs, wishes.output, reference),
            layout=given.order,
            text=_text(wishes, folder),
        )
        describe_files(folder, config, reference)

    @property
    def takes_text(self) -> bool:
        return self.text is not None

    def start(self, folder: Path) -> Network:
        text = None if self.text is None else OnnxText(self.text, folder, str(folder))
        return OnnxNetwork(self, open_session(folder / MODEL, str(folder / MODEL)), text)


class OnnxNetwork:
    """A session of onnxruntime, which any number of threads may use."""

    def __init__(self, config: OnnxConfig, session: Any, text: OnnxText | None) -> None:
        self._config, self._session, self._text = config, session, text
        (taken,) = session.get_inputs()
        self._input, self._type = taken.name, taken.type
        self._batch = shape_of(taken)[0]

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([self._run(batch)[:count] for batch, count in batches_of(pixels, self._batch)])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        assert self._text is not None
        return self._text.embed(texts)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        if self._type != _BYTES:
            normalized = self._config.preprocessing.normalize(torch.tensor(pixels))
            pixels = normalized.numpy().astype(_FLOATS[self._type], copy=False)
        if self._config.layout == "NHWC":
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        (answer,) = self._session.run([self._config.output], {self._input: pixels})
        return pooled(np.asarray(answer, np.float32), self._config.layout)


def _text(wishes: Wishes, folder: Path) -> TextTower | None:
    if wishes.text is None or wishes.tokenizer is None:
        return None
    return adopt_text(wishes.text, wishes.tokenizer, wishes.text_output, folder)


def _only_input(session: Any, named: str) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        listed = ", ".join(each.name for each in inputs)
        raise ConfigError(
            f"{named} takes {len(inputs)} inputs ({listed}), an embedding model takes one: export the image "
            "tower by itself."
        )
    (taken,) = inputs
    if taken.type not in (*_FLOATS, _BYTES):
        raise ConfigError(f"{named} takes {taken.name} as {taken.type}: images are float or uint8.")
    return taken
