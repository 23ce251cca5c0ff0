"""Cohere's body of /v2/embed, and its answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from holdfast.models import Purpose
from holdfast_serving.http.bodies.body import Body, Image, Text, VersionName
from holdfast_serving.http.bodies.encodings import Encoding, as_rows
from holdfast_serving.http.bodies.items import Content, ImageUrlItem, TextItem, content_of

_PURPOSES: Mapping[str, Purpose] = {"search_query": "query", "search_document": "document"}


class CohereInput(Body):
    """One thing to embed."""

    content: Annotated[list[TextItem | ImageUrlItem], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_part(self) -> "CohereInput":
        if len(self.content) != 1:
            raise ValueError(
                f"content has {len(self.content)} parts and becomes one vector: a version embeds one image "
                "or one text, never several together; send them as inputs of their own"
            )
        return self


class CohereRequest(Body):
    """Exactly one of `texts`, `images` and `inputs`."""

    model: VersionName = "live"
    texts: Annotated[list[Text], Field(min_length=1)] | None = None
    images: Annotated[list[Image], Field(min_length=1)] | None = None
    inputs: Annotated[list[CohereInput], Field(min_length=1)] | None = None
    input_type: Literal["search_query", "search_document", "classification", "clustering", "image"] | None = (
        Field(
            default=None,
            description="Of texts: what they are for, where the version knows a difference between queries "
            "and documents.",
        )
    )
    embedding_types: list[Encoding] = Field(default=["float"], min_length=1)
    output_dimension: int | None = Field(default=None, ge=1)
    truncate: Literal["NONE", "START", "END"] = Field(
        default="END",
        description="Without effect: how much of a text a version reads is in its contract.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "CohereRequest":
        given = [name for name in ("texts", "images", "inputs") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of texts, images and inputs is embedded (given: {', '.join(given) or 'none'})"
            )
        return self

    @property
    def purpose(self) -> Purpose | None:
        """None also for what is neither a query nor a document."""
        return _PURPOSES.get(self.input_type or "")

    def contents(self) -> list[tuple[str, Content]]:
        """Where each input stands, and what it is."""
        if self.texts is not None:
            return [(f"texts[{at}]", ("text", text)) for at, text in enumerate(self.texts)]
        if self.images is not None:
            return [(f"images[{at}]", ("image", image)) for at, image in enumerate(self.images)]
        return [
            (f"inputs[{at}]", content_of(each.content[0], "text"))
            for at, each in enumerate(self.inputs or ())
        ]

    def answer(self, vectors: np.ndarray, request_id: str) -> dict[str, Any]:
        """float32 (n, d) -> what Cohere's clients read."""
        images = sum(modality == "image" for _, (modality, _) in self.contents())
        content: dict[str, Any] = {
            "id": request_id,
            "response_type": "embeddings_by_type",
            "embeddings": {each: as_rows(vectors, each) for each in dict.fromkeys(self.embedding_types)},
            "meta": {"api_version": {"version": "2"}, "billed_units": {"images": images}},
        }
        return content if self.texts is None else content | {"texts": self.texts}
