"""Models as files of torch.export."""

import io
import json
import logging
import shutil
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves

from holdfast.base import ConfigError
from holdfast.models.foreign.describing import describe_files
from holdfast.models.foreign.network import FileConfig, Network, batches_of
from holdfast.models.foreign.pooling import pooled
from holdfast.models.foreign.reading import own_description, read_preprocessing
from holdfast.models.foreign.signature import Order, Shape, choose_output, read_input
from holdfast.models.foreign.wishes import Wishes

MODEL = "model.pt2"
EXTRA = "holdfast.json"
"""The file inside in which `holdfast export` describes what it wrote."""


class TorchConfig(FileConfig):
    """Which of a program's outputs is meant, and how it wants its pixels."""

    kind: Literal["torch"] = "torch"
    output: str
    layout: Order = "NCHW"
    batch: int | None = None
    """How many images it takes at once; None for any number."""

    @classmethod
    def adopt(cls, reference: str, wishes: Wishes, folder: Path) -> None:
        """`reference`: a file."""
        wishes.require_only("torch", "preprocessing", "output")
        source = Path(reference)
        if not source.is_file():
            raise ConfigError(f"There is no file {reference!r}: give torch:FILE.pt2.")
        shutil.copyfile(source, folder / MODEL)
        extra = {EXTRA: ""}
        program = _load(folder / MODEL, reference, extra)
        taken = _only_input(program, reference)
        given = read_input(_shape(taken), taken.dtype == torch.uint8, reference)
        own = own_description(json.loads(extra[EXTRA]) if extra[EXTRA] else {})
        outputs = {node.name: _shape(node.meta["val"]) for node in _outputs(program)}
        config = cls(
            preprocessing=read_preprocessing(wishes.preprocessing, given, own, reference),
            output=choose_output(outputs, wishes.output, reference),
            layout=given.order,
            batch=given.batch,
        )
        describe_files(folder, config, reference)

    def start(self, folder: Path) -> Network:
        return TorchNetwork(self, _load(folder / MODEL, str(folder / MODEL)))


class TorchNetwork:
    """A program, which any number of threads may run."""

    def __init__(self, config: TorchConfig, program: ExportedProgram) -> None:
        self._config = config
        self._type = _only_input(program, MODEL).dtype
        self._place = [node.name for node in _outputs(program)].index(config.output)
        self._module = program.module()

    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        parts = batches_of(pixels, self._config.batch)
        return np.concatenate([self._run(batch)[:count] for batch, count in parts])

    def embed_texts(self, texts: Sequence[str]) -> NoReturn:
        raise NotImplementedError

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        given = torch.tensor(pixels)
        if self._type != torch.uint8:
            given = self._config.preprocessing.normalize(given).to(self._type)
        if self._config.layout == "NHWC":
            given = given.permute(0, 2, 3, 1).contiguous()
        with torch.inference_mode():
            answer = tree_leaves(self._module(given))[self._place]
        return pooled(answer.float().numpy(), self._config.layout)


def _load(file: Path, named: str, extra: dict[str, Any] | None = None) -> ExportedProgram:
    """Raises ConfigError for what is no such file, or would run code of its own."""
    try:
        content = file.read_bytes()
        _require_no_code(content, named)
        with _quietly():
            return torch.export.load(io.BytesIO(content), extra_files=extra)
    except ConfigError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise ConfigError(f"{named} is no file that torch.export wrote: {said}.") from error


def _require_no_code(content: bytes, named: str) -> None:
    """torch.export.load unpickles whatever a file marks as pickled, and loads the libraries in it."""
    refusal = ConfigError(
        f"{named} holds more than weights and a graph (pickled objects or compiled code), which are never "
        "run: export the network by torch.export.save, or as ONNX."
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            inner = name.partition("/")[2]
            if inner.startswith("data/aotinductor/"):
                raise refusal
            if inner.startswith(("data/weights/", "data/constants/")) and name.endswith("_config.json"):
                entries = json.loads(archive.read(name))["config"].values()
                if any(each["use_pickle"] or each.get("tensor_meta") is None for each in entries):
                    raise refusal
            if inner.startswith("data/sample_inputs/"):
                try:
                    torch.load(io.BytesIO(archive.read(name)), weights_only=True)
                except Exception as error:
                    raise refusal from error


def _only_input(program: ExportedProgram, named: str) -> Any:
    """The tensor, without values, that stands for the input."""
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ConfigError(f"{named} takes {len(names)} inputs, an embedding model takes one.")
    (taken,) = (node.meta["val"] for node in program.graph.nodes if node.name == names[0])
    if not isinstance(taken, torch.Tensor) or not (taken.is_floating_point() or taken.dtype == torch.uint8):
        raise ConfigError(f"{named} takes no images: they are tensors of float or uint8.")
    return taken


def _outputs(program: ExportedProgram) -> list[Any]:
    wanted = program.graph_signature.user_outputs
    by_name = {node.name: node for node in program.graph.nodes}
    return [by_name[name] for name in wanted if isinstance(name, str) and name in by_name]


def _shape(tensor: Any) -> Shape:
    return [side if isinstance(side, int) else None for side in tensor.shape]


@contextmanager
def _quietly() -> Iterator[None]:
    """torch tells about its own formats."""
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
