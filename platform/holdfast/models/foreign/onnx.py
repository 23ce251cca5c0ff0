"""Models as ONNX files, run by onnxruntime."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch

from holdfast.base import ConfigError, import_extra
from holdfast.models.foreign.describing import describe_files
from holdfast.models.foreign.network import FileConfig, Network, batches_of
from holdfast.models.foreign.onnx_files import external_files, read_metadata
from holdfast.models.foreign.pooling import pooled
from holdfast.models.foreign.reading import own_description, read_preprocessing
from holdfast.models.foreign.signature import Order, Shape, choose_output, read_input
from holdfast.models.foreign.wishes import Wishes

MODEL = "model.onnx"
_FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_BYTES = "tensor(uint8)"


class OnnxConfig(FileConfig):
    """Which of a file's outputs is meant, and how it wants its pixels."""

    kind: Literal["onnx"] = "onnx"
    output: str
    layout: Order = "NCHW"

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: a file."""
        wishes.require_only("onnx", "preprocessing", "output")
        source = Path(reference)
        if not source.is_file():
            raise ConfigError(f"There is no file {reference!r}: give onnx:FILE.")
        own = own_description(read_metadata(source))
        for name in external_files(source):
            shutil.copyfile(source.parent / name, folder / name)
        shutil.copyfile(source, folder / MODEL)
        session = _open(folder / MODEL, reference)
        taken = _only_input(session, reference)
        given = read_input(_shape(taken), taken.type == _BYTES, reference)
        outputs = {each.name: _shape(each) for each in session.get_outputs()}
        config = cls(
            preprocessing=read_preprocessing(wishes.preprocessing, given, own, reference),
            output=choose_output(outputs, wishes.output, reference),
            layout=given.order,
        )
        describe_files(folder, config, reference)

    def start(self, folder: Path) -> Network:
        return OnnxNetwork(self, _open(folder / MODEL, str(folder / MODEL)))


class OnnxNetwork:
    """A session of onnxruntime, which any number of threads may use."""

    def __init__(self, config: OnnxConfig, session: Any) -> None:
        self._config, self._session = config, session
        (taken,) = session.get_inputs()
        self._input, self._type = taken.name, taken.type
        self._batch = _shape(taken)[0]

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([self._run(batch)[:count] for batch, count in batches_of(pixels, self._batch)])

    def embed_texts(self, texts: Sequence[str]) -> NoReturn:
        raise NotImplementedError

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        if self._type != _BYTES:
            normalized = self._config.preprocessing.normalize(torch.tensor(pixels))
            pixels = normalized.numpy().astype(_FLOATS[self._type], copy=False)
        if self._config.layout == "NHWC":
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        (answer,) = self._session.run([self._config.output], {self._input: pixels})
        return pooled(np.asarray(answer, np.float32), self._config.layout)


def _open(file: Path, named: str) -> Any:
    """A session on as many threads as torch uses here. Raises ConfigError for what is no ONNX model."""
    runtime = import_extra("onnxruntime", "onnx", "A model of kind onnx needs onnxruntime", ConfigError)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime's exceptions have no common base of their own.
        said = str(error).split(" : ")[-1].removeprefix(f"Load model from {file} failed:").strip().rstrip(".")
        raise ConfigError(f"{named} is no ONNX model that onnxruntime can run: {said}.") from error


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


def _shape(argument: Any) -> Shape:
    return [side if isinstance(side, int) else None for side in argument.shape]
