"""What an ONNX file says about itself without being run: its metadata, and the files with its weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast.base import ConfigError, import_extra


def read_metadata(file: Path) -> dict[str, str]:
    """Its key-value metadata. Raises ConfigError for what is no ONNX file."""
    return {each.key: each.value for each in _read(file).metadata_props}


def external_files(file: Path) -> tuple[str, ...]:
    """Names of the files beside it in which weights lie.

    Raises ConfigError where one is missing, or lies anywhere else than beside it.
    """
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
