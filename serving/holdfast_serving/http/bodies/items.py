"""One thing to embed, in the forms in which the APIs of the market write it."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from holdfast.base import InvalidVectorError
from holdfast_serving.http.bodies.body import Body, Image, Text

Modality = Literal["image", "text"]
Content = tuple[Modality, str | bytes]
"""What it is, and the image (a data URI, base64, or the bytes of an upload) or the words."""


class ImageUrl(Body):
    """OpenAI's object around an address. Only data URIs are read: remote addresses are never fetched."""

    url: Image
    detail: Literal["auto", "low", "high"] = Field(
        default="auto",
        description="Taken and without effect: a version sees every image as its contract says.",
    )


class ImageItem(Body):
    image: Image


class TextItem(Body):
    type: Literal["text"] = "text"
    text: Text


class ImageUrlItem(Body):
    """As in OpenAI's chats."""

    type: Literal["image_url"] = "image_url"
    image_url: Image | ImageUrl


Part = ImageItem | TextItem | ImageUrlItem
Item = Image | Part


class Message(Body):
    """As in a chat: words alone, or parts."""

    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: Text | Annotated[list[Part], Field(min_length=1)]


def content_of(item: Item, plain: Modality) -> Content:
    """`plain`: what a string is, which does not say it itself."""
    match item:
        case str() | bytes():
            return plain, item
        case TextItem():
            return "text", item.text
        case ImageItem():
            return "image", item.image
        case ImageUrlItem():
            return "image", url_of(item.image_url)


def as_vector(numbers: list[float], where: str) -> np.ndarray:
    """Numbers of a request -> float32 (d,). Raises InvalidVectorError for what float32 cannot hold."""
    with np.errstate(over="ignore"):
        vector = np.asarray(numbers, dtype=np.float32)
    if not np.isfinite(vector).all():
        raise InvalidVectorError(f"{where} holds a number that is not finite.")
    return vector


def url_of(image_url: str | bytes | ImageUrl) -> str | bytes:
    return image_url.url if isinstance(image_url, ImageUrl) else image_url
