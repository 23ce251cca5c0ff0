"""What was learned here as files that run without Holdfast: torch.export (`.pt2`) and ONNX."""

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

from holdfast.base import ConfigError, import_extra
from holdfast.models.learnable import Learnable

Format = Literal["torch", "onnx"]
OUTPUT = "embeddings"


class _Network(nn.Module):
    """A forward pass in evaluation mode, without the switch to float32 that training needs."""

    def __init__(self, model: Learnable) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model.compute(inputs)


def write_exported(model: Learnable, format: Format, file: Path) -> None:
    """Write a network, or a map, with its contract beside it in the file's metadata.

    Raises ConfigError where the packages of the format are missing.
    """
    contract = model.contract()
    described = {"contract": contract.model_dump_json(), "contract_id": contract.id}
    program = _trace(model)
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
            program,
            input_names=[model.reads],
            output_names=[OUTPUT],
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert made is not None
    written = made.model_proto
    onnx.helper.set_model_props(written, described)
    onnx.checker.check_model(written)
    onnx.save(written, str(file))


def read_exported(format: Format, file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What runs an exported file, on one core: uint8 pixels (b, c, s, s), or vectors float32 (b, d_base), ->
    float32 (b, d)."""
    if format == "torch":
        with _quietly():
            module = torch.export.load(io.BytesIO(file.read_bytes())).module()

        def run(inputs: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                output: np.ndarray = module(torch.from_numpy(inputs)).numpy()
            return output

        return run
    runtime = _import("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (given,) = (each.name for each in session.get_inputs())
    return lambda inputs: np.asarray(session.run([OUTPUT], {given: inputs})[0])


def _trace(model: Learnable) -> torch.export.ExportedProgram:
    network = _Network(model).eval()
    batch = torch.export.Dim("batch")
    with torch.no_grad(), _quietly():
        return torch.export.export(
            network,
            (torch.from_numpy(model.probes()[:2]),),
            dynamic_shapes={"inputs": {0: batch}},
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
