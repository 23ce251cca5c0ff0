"""The body of /v1/embeddings: OpenAI's, Jina's and vLLM's, told apart by their keys."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, TypeAdapter, model_validator

from holdfast.models import Purpose
from holdfast_serving.http.bodies.body import Body, OnError, Rejected, RejectedError, VersionName, judged
from holdfast_serving.http.bodies.encodings import Encoding
from holdfast_serving.http.bodies.items import Content, Item, Message, Modality, content_of

_TASKS: Mapping[str, Purpose] = {"retrieval.query": "query", "retrieval.passage": "document"}
_ITEM: TypeAdapter[Item] = TypeAdapter(Item)


class EmbeddingsRequest(Body):
    """OpenAI's shape, with images as the input; Jina's items, where they are texts, or both; or `messages`,
    as vLLM takes them, of one image or one text."""

    image_field: ClassVar = "input"
    input: Item | Annotated[list[Item | Rejected], Field(min_length=1)] | None = None
    messages: list[Message] | None = Field(
        default=None,
        min_length=1,
        description="In place of `input`: one image, or one text, in a chat's shape.",
    )
    model: VersionName = "live"
    encoding_format: Encoding = "float"
    embedding_type: Encoding | None = Field(default=None, description="Jina's name of `encoding_format`.")
    dimensions: int | None = Field(
        default=None, ge=1, description="All of a version's, or a cut that was measured of it (`cuts`)."
    )
    user: str | None = Field(default=None, description="Keeps one user on one side of a canary.")
    modality: Modality = Field(default="image", description="What plain strings are.")
    input_type: Purpose | None = Field(
        default=None,
        description="What texts are embedded for; without effect where a version knows no difference.",
    )
    task: str | None = Field(
        default=None,
        max_length=64,
        description="Jina's name of `input_type`: `retrieval.query`, `retrieval.passage`; others are without "
        "effect.",
    )
    normalized: bool = Field(default=True, description="Vectors are of unit norm, always.")
    on_error: OnError = "fail"

    @model_validator(mode="before")
    @classmethod
    def _each_item(cls, given: Any) -> Any:
        return judged(given, "input", _ITEM)

    @model_validator(mode="after")
    def _one_shape(self) -> "EmbeddingsRequest":
        if not self.normalized:
            raise ValueError("normalized: vectors are of unit norm, always; leave it out")
        if self.input is None and self.messages is None:
            raise ValueError("input is missing")
        if self.messages is not None:
            if self.input is not None:
                raise ValueError("give input or messages, not both")
            said = self._said()
            if len(said) != 1:
                raise ValueError(
                    "messages become one vector, and a version embeds one image or one text, never several "
                    f"together: there are {len(said)} in messages; send them as items of input"
                )
        return self

    @property
    def purpose(self) -> Purpose | None:
        return self.input_type or _TASKS.get(self.task or "")

    @property
    def encoding(self) -> Encoding:
        return self.embedding_type or self.encoding_format

    def contents(self) -> list[tuple[str, Content | RejectedError]]:
        """Where each input stands, and what it is: said by the client, never guessed."""
        if self.messages is not None:
            return [("messages", self._said()[0])]
        if not isinstance(self.input, list):
            return [("input", content_of(self.input, self.modality))]  # type: ignore[arg-type]
        return [
            (f"input[{at}]", item if isinstance(item, RejectedError) else content_of(item, self.modality))
            for at, item in enumerate(self.input)
        ]

    def _said(self) -> list[Content]:
        return [
            content_of(part, "text")
            for message in self.messages or ()
            for part in ([message.content] if isinstance(message.content, str) else message.content)
        ]
