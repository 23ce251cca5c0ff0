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


class CountRequest(TypedDict):
    """Which entries are counted; all of them by default."""

    filter: NotRequired[Mapping[str, Any] | None]
    versions: NotRequired[Sequence[str] | None]


class DeleteRequest(TypedDict):
    """Entries that are to go: by their ids, or all that match a filter, which may not be empty."""

    ids: NotRequired[Sequence[str] | None]
    filter: NotRequired[Mapping[str, Any] | None]
    versions: NotRequired[Sequence[str] | None]
    dry_run: NotRequired[bool]


class ImageItem(TypedDict):
    image: Image


class TextItem(TypedDict):
    type: NotRequired[Literal["text"]]
    text: str


class ImageUrl(TypedDict):
    """OpenAI's object around an address. Only data URIs are read: remote addresses are never fetched."""

    url: Image
    detail: NotRequired[Literal["auto", "low", "high"]]


class ImageUrlItem(TypedDict):
    """As in OpenAI's chats."""

    type: NotRequired[Literal["image_url"]]
    image_url: Image | ImageUrl


class Message(TypedDict):
    """As in a chat: words alone, or parts."""

    role: NotRequired[Literal["system", "developer", "user", "assistant"]]
    content: str | Sequence[ImageItem | TextItem | ImageUrlItem]


class EmbeddingsRequest(TypedDict):
    """OpenAI's shape, with images as the input; Jina's items, where they are texts, or both; or `messages`,
    as vLLM takes them, of one image or one text.
    """

    input: NotRequired[
        Image
        | ImageItem
        | TextItem
        | ImageUrlItem
        | Sequence[Image | ImageItem | TextItem | ImageUrlItem]
        | None
    ]
    messages: NotRequired[Sequence[Message] | None]
    model: NotRequired[str]
    encoding_format: NotRequired[Literal["float", "base64", "int8", "uint8", "binary", "ubinary"]]
    embedding_type: NotRequired[Literal["float", "base64", "int8", "uint8", "binary", "ubinary"] | None]
    dimensions: NotRequired[int | None]
    user: NotRequired[str | None]
    modality: NotRequired[Literal["image", "text"]]
    input_type: NotRequired[Literal["query", "document"] | None]
    task: NotRequired[str | None]
    normalized: NotRequired[bool]
    on_error: NotRequired[Literal["fail", "skip"]]


class EntryBody(TypedDict):
    """One entry to write: an image (the write version embeds it), or a vector and its version."""

    image: NotRequired[Image | None]
    image_url: NotRequired[Image | ImageUrl | None]
    vector: NotRequired[Vector | None]
    version: NotRequired[str | None]
    attributes: NotRequired[
        Mapping[str, str | int | float | bool | Sequence[str | int | float | bool] | None]
    ]
    source: NotRequired[str | None]
    id: str


class EntriesRequest(TypedDict):
    entries: Sequence[EntryBody]
    on_error: NotRequired[Literal["fail", "skip"]]


class EntryContent(TypedDict):
    """What an entry holds: an image (the write version embeds it), or a vector and its version."""

    image: NotRequired[Image | None]
    image_url: NotRequired[Image | ImageUrl | None]
    vector: NotRequired[Vector | None]
    version: NotRequired[str | None]
    attributes: NotRequired[
        Mapping[str, str | int | float | bool | Sequence[str | int | float | bool] | None]
    ]
    source: NotRequired[str | None]


class ListRequest(TypedDict):
    """Which entries are listed, in the order of their ids, a page at a time."""

    filter: NotRequired[Mapping[str, Any] | None]
    versions: NotRequired[Sequence[str] | None]
    limit: NotRequired[int]
    after: NotRequired[str | None]
    attributes: NotRequired[bool | Sequence[str]]
    vector: NotRequired[bool]


class LookupRequest(TypedDict):
    """Entries by their ids, whatever these hold: a path cannot carry every id past every proxy."""

    ids: Sequence[str]
    vector: NotRequired[bool]


class Query(TypedDict):
    """Exactly one of image, image_url, text, vector (with the version that made it) and id (of an entry)."""

    image: NotRequired[Image | None]
    image_url: NotRequired[Image | ImageUrl | None]
    text: NotRequired[str | None]
    vector: NotRequired[Vector | None]
    id: NotRequired[str | None]
    model: NotRequired[str | None]


class Ramp(TypedDict):
    """A canary that grows: a step for each share, so many seconds apart."""

    shares: Sequence[float]
    every_seconds: float


class RollbackRequest(TypedDict):
    expect_epoch: NotRequired[int | None]
    force: NotRequired[bool]
    note: NotRequired[str]


class ShadowGate(TypedDict):
    """Bounds for the figures of a shadow; each is judged by the worse end of its interval."""

    queries: NotRequired[int | None]
    overlap: NotRequired[float | None]
    negative_flips: NotRequired[float | None]
    errors: NotRequired[float | None]
    latency_ratio: NotRequired[float | None]


class ScheduleRequest(TypedDict):
    """A change of the traffic at a moment; fields that are left out stay as they are then."""

    at: str
    query_version: NotRequired[str | None]
    write_version: NotRequired[str | None]
    canary_version: NotRequired[str | None]
    canary_share: NotRequired[float | None]
    canary_keys: NotRequired[Sequence[str] | None]
    shadow_version: NotRequired[str | None]
    shadow_share: NotRequired[float | None]
    ramp: NotRequired[Ramp | None]
    force: NotRequired[bool]
    require: NotRequired[ShadowGate | None]
    why: NotRequired[str]


class SearchRequest(TypedDict):
    """A query by image, by text, by vector (with the version that made it), or by the id of an entry; or
    many `queries`, for which everything else holds.
    """

    image: NotRequired[Image | None]
    image_url: NotRequired[Image | ImageUrl | None]
    text: NotRequired[str | None]
    vector: NotRequired[Vector | None]
    id: NotRequired[str | None]
    model: NotRequired[str | None]
    k: NotRequired[int]
    filter: NotRequired[Mapping[str, Any] | None]
    versions: NotRequired[Sequence[str] | None]
    relevant: NotRequired[Sequence[str] | None]
    min_seq: NotRequired[int | None]
    cascade: NotRequired[int | None]
    score_threshold: NotRequired[float | None]
    group_by: NotRequired[str | None]
    group_size: NotRequired[int]
    attributes: NotRequired[bool | Sequence[str]]
    user: NotRequired[str | None]
    queries: NotRequired[Sequence[Query] | None]
    on_error: NotRequired[Literal["fail", "skip"]]


class TrafficChange(TypedDict):
    """A compare-and-swap: fields that are left out stay as they are."""

    expect_epoch: int
    query_version: NotRequired[str | None]
    write_version: NotRequired[str | None]
    canary_version: NotRequired[str | None]
    canary_share: NotRequired[float | None]
    canary_keys: NotRequired[Sequence[str] | None]
    shadow_version: NotRequired[str | None]
    shadow_share: NotRequired[float | None]
    force: NotRequired[bool]
    require: NotRequired[ShadowGate | None]
    note: NotRequired[str]
