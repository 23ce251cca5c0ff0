"""What the bodies of requests hold. Made by `python -m serving.generating`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from holdfast_serving.client.inputs import Image, Vector


class BackfillRequest(TypedDict):
    """Move entries of older versions to `target`: by adapters (map), or by their images (re-embed)."""

    target: NotRequired[str]
    kind: NotRequired[Literal["map", "re-embed"]]
    sources: NotRequired[Sequence[str] | None]
    order: NotRequired[Literal["gain", "random", "oldest"]]
    batch_size: NotRequired[int]
    pace: NotRequired[float | None]
    workers: NotRequired[int]
    force: NotRequired[bool]


class DeleteRequest(TypedDict):
    """Entries that are to go, by their ids."""

    ids: Sequence[str]


class ImageItem(TypedDict):
    image: Image


class TextItem(TypedDict):
    text: str


class EmbeddingsRequest(TypedDict):
    """OpenAI's shape, with images as the input, and Jina's items where they are texts, or both."""

    input: Image | ImageItem | TextItem | Sequence[Image | ImageItem | TextItem]
    model: NotRequired[str]
    encoding_format: NotRequired[Literal["float", "base64"]]
    dimensions: NotRequired[int | None]
    user: NotRequired[str | None]
    modality: NotRequired[Literal["image", "text"]]


class EntryBody(TypedDict):
    """One entry to write: an image (the write version embeds it), or a vector and its version."""

    id: str
    image: NotRequired[Image | None]
    vector: NotRequired[Vector | None]
    version: NotRequired[str | None]
    attributes: NotRequired[Mapping[str, str | int | float | bool | None]]
    source: NotRequired[str | None]


class EntriesRequest(TypedDict):
    entries: Sequence[EntryBody]


class LookupRequest(TypedDict):
    """Entries by their ids, whatever these hold: a path cannot carry every id past every proxy."""

    ids: Sequence[str]
    vector: NotRequired[bool]


class RollbackRequest(TypedDict):
    expect_epoch: NotRequired[int | None]
    force: NotRequired[bool]


class SearchRequest(TypedDict):
    """A query by image, by text, by vector (with the version that made it), or by the id of an entry."""

    image: NotRequired[Image | None]
    text: NotRequired[str | None]
    vector: NotRequired[Vector | None]
    id: NotRequired[str | None]
    model: NotRequired[str | None]
    k: NotRequired[int]
    filter: NotRequired[Mapping[str, Any] | None]
    versions: NotRequired[Sequence[str] | None]
    min_seq: NotRequired[int | None]
    cascade: NotRequired[int | None]
    user: NotRequired[str | None]


class TrafficChange(TypedDict):
    """A compare-and-swap: fields that are left out stay as they are."""

    expect_epoch: int
    query_version: NotRequired[str | None]
    write_version: NotRequired[str | None]
    canary_version: NotRequired[str | None]
    canary_share: NotRequired[float | None]
    canary_keys: NotRequired[Sequence[str] | None]
    force: NotRequired[bool]
    note: NotRequired[str]
