"""ONNX files: copied with the weights that lie beside them, and opened by onnxruntime."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from holdfast.base import ConfigError, import_extra
from holdfast.models.foreign.signature import Shape


def copy_model(source: Path, folder: Path, name: str) -> None:
    """Copy a file as `name`, and the files with its weights, into a folder.

    Raises ConfigError for what is no ONNX file, and for weights that are missing or anywhere else than beside
    it.
    """
    if not source.is_file():
        raise ConfigError(f"There is no file {str(source)!r}: give one of ONNX.")
    for beside in _external_files(source):
        if (folder / beside).exists() and (folder / beside).read_bytes() != (
            source.parent / beside
        ).read_bytes():
            raise ConfigError(f"Both towers keep weights in {beside!r}: save one of them under another name.")
        shutil.copyfile(source.parent / beside, folder / beside)
    shutil.copyfile(source, folder / name)


def read_metadata(file: Path) -> dict[str, str]:
    """Its key-value metadata. Raises ConfigError for what is no ONNX file."""
    return {each.key: each.value for each in _read(file).metadata_props}


def shape_of(argument: Any) -> Shape:
    """Of an input or output of a session."""
    return [side if isinstance(side, int) else None for side in argument.shape]


def open_session(file: Path, named: str) -> Any:
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


def _external_files(file: Path) -> tuple[str, ...]:
    names = sorted(set(_locations(_read(file).graph)))
    for name in names:
        if Path(name).name != name:
            raise ConfigError(f"{file} keeps weights in {name!r}: they have to be in a file beside it.")
        if not (file.parent / name).is_file():
            raise ConfigError(f"{file} keeps weights in {name!r}, which is not beside it: put it there.")
    return tuple(names)


def _read(file: Path) -> Any:
    onnx = import_extra("onnx", "onnx", "A model of kind onnx needs onnx", ConfigError)
    try:
        return onnx.load(str(file), load_external_data=False)
    except Exception as error:
        # protobuf's errors differ between its implementations.
        raise ConfigError(f"{file} is no ONNX file: give one that an exporter made.") from error


def _locations(graph: Any) -> Iterator[str]:
    for tensor in graph.initializer:
        yield from _location(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.tensors):
                yield from _location(tensor)
            for inner in (attribute.g, *attribute.graphs):
                yield from _locations(inner)


def _location(tensor: Any) -> Iterator[str]:
    for entry in tensor.external_data:
        if entry.key == "location":
            yield entry.value
