"""Encoders as files that run without Holdfast: torch.export (`.pt2`) and ONNX."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.base import ConfigError, import_extra
from holdfast.models.encoder import Encoder

Format = Literal["torch", "onnx"]
INPUT, OUTPUT = "pixels", "embeddings"


class _Network(nn.Module):
    """An encoder's forward pass in evaluation mode, without the switch to float32 that training needs."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        encoder = self.encoder
        features = encoder.trunk(encoder.preprocessing.normalize(pixels))
        return F.normalize(encoder.norm(encoder.linear(features)) @ encoder.rotation)


def write_exported(encoder: Encoder, format: Format, file: Path) -> None:
    """Write an encoder, with its contract beside it in the file's metadata.

    Raises ConfigError where the packages of the format are missing.
    """
    contract = encoder.contract()
    described = {"contract": contract.model_dump_json(), "contract_id": contract.id}
    program = _trace(encoder)
    if format == "torch":
        # Through memory, as torch wants a path to end in .pt2.
        content = io.BytesIO()
        with _quietly():
            torch.export.save(program, content, extra_files={"holdfast.json": json.dumps(described)})
        file.write_bytes(content.getvalue())
        return
    onnx = _import("onnx")
    _import("onnxscript")
    with _quietly():
        made = torch.onnx.export(
            program, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, optimize=True, verbose=False
        )
    assert made is not None
    model = made.model_proto
    onnx.helper.set_model_props(model, described)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def read_exported(format: Format, file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What runs an exported file, on one core: uint8 (b, c, s, s) -> float32 (b, d)."""
    if format == "torch":
        with _quietly():
            module = torch.export.load(io.BytesIO(file.read_bytes())).module()

        def run(pixels: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                output: np.ndarray = module(torch.from_numpy(pixels)).numpy()
            return output

        return run
    runtime = _import("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda pixels: np.asarray(session.run([OUTPUT], {INPUT: pixels})[0])


def _trace(encoder: Encoder) -> torch.export.ExportedProgram:
    preprocessing = encoder.preprocessing
    shape = (2, preprocessing.channels, preprocessing.size, preprocessing.size)
    network = _Network(encoder).eval()
    batch = torch.export.Dim("batch")
    with torch.no_grad(), _quietly():
        return torch.export.export(
            network,
            (torch.zeros(shape, dtype=torch.uint8),),
            dynamic_shapes={INPUT: {0: batch}},
            strict=False,
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporters tell about their own inner workings."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _import(name: str) -> Any:
    return import_extra(name, "onnx", f"An export with --format onnx needs {name}", ConfigError)
