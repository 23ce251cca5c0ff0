"""What the endpoints of the market are sent, and how their answers are read.

Images are data URIs. A text is a query where an endpoint has to be told, unless something else is said.
Vectors are asked for as float32 in base64 where an endpoint has that, since it is half as long and exact;
numbers are read as well.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from holdfast.models.model import Modality, Purpose

BodyName = Literal["openai", "cohere", "jina", "tei"]
Request = dict[str, Any]


@dataclass(frozen=True)
class Body:
    """One vendor's way.

    Attributes:
        path: of the usual address.
        batch: items in one request that every model behind such an address takes.
        ask: (model, dimension or None, modality, items) -> the request.
        read: the answer -> a vector for each item. Raises KeyError, TypeError, ValueError for other shapes.
        purposes: what a request of texts holds beside, where it is said what they are for.
    """

    path: str
    batch: int
    ask: Callable[[str, int | None, Modality, Sequence[str]], Request]
    read: Callable[[Any], list[np.ndarray]]
    purposes: Mapping[Purpose, Request] = field(default_factory=dict)


def _openai(model: str, dimension: int | None, modality: Modality, items: Sequence[str]) -> Request:
    return _given(model=model, dimensions=dimension) | {"input": list(items), "encoding_format": "base64"}


def _jina(model: str, dimension: int | None, modality: Modality, items: Sequence[str]) -> Request:
    asked = _given(model=model, dimensions=dimension) | {"embedding_type": "base64", "normalized": True}
    return asked | {"input": [{modality: item} for item in items]}


def _cohere(model: str, dimension: int | None, modality: Modality, items: Sequence[str]) -> Request:
    asked = _given(model=model, output_dimension=dimension) | {"embedding_types": ["float"]}
    if modality == "text":
        return asked | {"input_type": "search_query", "texts": list(items), "truncate": "NONE"}
    if len(items) == 1:  # all that its older models take
        return asked | {"input_type": "image", "images": list(items)}
    parts = [{"content": [{"type": "image_url", "image_url": {"url": item}}]} for item in items]
    return asked | {"input_type": "search_document", "inputs": parts}


def _tei(model: str, dimension: int | None, modality: Modality, items: Sequence[str]) -> Request:
    return _given(dimensions=dimension) | {"inputs": list(items), "normalize": True, "truncate": False}


def _given(**values: str | int | None) -> Request:
    return {name: value for name, value in values.items() if value}


def _from_data(answer: Any) -> list[np.ndarray]:
    rows = sorted(answer["data"], key=lambda row: row["index"])
    return [_vector(row["embedding"]) for row in rows]


def _from_cohere(answer: Any) -> list[np.ndarray]:
    found = answer["embeddings"]
    return [_vector(row) for row in (found["float"] if isinstance(found, Mapping) else found)]


def _from_list(answer: Any) -> list[np.ndarray]:
    if not isinstance(answer, list):
        raise TypeError("not a list")
    return [_vector(row) for row in answer]


def _vector(given: Any) -> np.ndarray:
    """Numbers, or float32 in base64 (little endian), as float32 (d,)."""
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given, validate=True), "<f4")
    with np.errstate(over="ignore"):
        vector = np.asarray(given).astype(np.float32, casting="same_kind")
    if vector.ndim != 1:
        raise ValueError("a vector is a list of numbers")
    return vector


_COHERE: Mapping[Purpose, Request] = {
    "query": {"input_type": "search_query"},
    "document": {"input_type": "search_document"},
}
_JINA: Mapping[Purpose, Request] = {
    "query": {"task": "retrieval.query"},
    "document": {"task": "retrieval.passage"},
}
BODIES: Mapping[BodyName, Body] = {
    "openai": Body("/v1/embeddings", 32, _openai, _from_data),
    "cohere": Body("/v2/embed", 1, _cohere, _from_cohere, _COHERE),
    "jina": Body("/v1/embeddings", 32, _jina, _from_data, _JINA),
    "tei": Body("/embed", 32, _tei, _from_list),
}
