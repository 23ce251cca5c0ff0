"""The bodies that clients send. What the server answers is built in the routes, as plain dictionaries."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Image = Annotated[
    str, Field(min_length=1, description="A data URI (data:image/...;base64,...) or plain base64.")
]
Attributes = dict[str, str | int | float | bool]
Vector = list[float]
VersionName = Annotated[str, Field(min_length=1, max_length=128)]


class Body(BaseModel):
    """Strict: a mistyped key is a 422, not a default that nobody asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbeddingsRequest(Body):
    """OpenAI's shape, with images as the input."""

    input: Image | Annotated[list[Image], Field(min_length=1)]
    model: VersionName = "live"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = Field(default=None, description="Keeps one user on one side of a canary.")
    modality: Literal["image"] = "image"

    def images(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class EntryBody(Body):
    """One entry to write: an image (the write version embeds it), or a vector and its version."""

    id: str = Field(min_length=1, max_length=512)
    image: Image | None = None
    vector: Vector | None = None
    version: VersionName | None = None
    attributes: Attributes = {}
    source: str | None = Field(default=None, max_length=4096)

    @model_validator(mode="after")
    def one_content(self) -> "EntryBody":
        if (self.image is None) == (self.vector is None):
            raise ValueError(f"entry {self.id!r} needs exactly one of image and vector")
        if self.vector is not None and self.version is None:
            raise ValueError(f"entry {self.id!r} has a vector and must name the version that made it")
        if self.image is not None and self.version is not None:
            raise ValueError(
                f"entry {self.id!r}: an image is embedded by the write version; leave out version"
            )
        return self


class EntriesRequest(Body):
    entries: list[EntryBody] = Field(min_length=1)


class SearchRequest(Body):
    """A query by image, by vector (with the version that made it), or by the id of an entry."""

    image: Image | None = None
    vector: Vector | None = None
    id: str | None = Field(default=None, min_length=1, max_length=512)
    model: VersionName | None = Field(
        default=None, description="The query version; an image's default is live."
    )
    k: int = Field(default=10, ge=1)
    filter: dict[str, Any] | None = None
    versions: list[VersionName] | None = Field(
        default=None, description="Search only entries of these versions."
    )
    min_seq: int | None = Field(default=None, ge=0, description="Answer only once this write is searchable.")
    user: str | None = None

    @model_validator(mode="after")
    def one_query(self) -> "SearchRequest":
        given = [name for name in ("image", "vector", "id") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a search needs exactly one of image, vector and id (given: {', '.join(given) or 'none'})"
            )
        if self.vector is not None and self.model is None:
            raise ValueError("a search by vector must name in model the version that made the vector")
        return self


class TrafficChange(Body):
    """A compare-and-swap: fields that are left out stay as they are."""

    expect_epoch: int = Field(ge=0, description="The epoch that GET /v1/traffic answered.")
    query_version: VersionName | None = None
    write_version: VersionName | None = None
    canary_version: VersionName | None = None
    canary_share: float | None = Field(default=None, ge=0, le=1)
    force: bool = False
    note: str = Field(default="", max_length=1000)


class RollbackRequest(Body):
    expect_epoch: int | None = Field(default=None, ge=0)
    force: bool = False


class BackfillRequest(Body):
    """Move entries of older versions to `target`: by adapters (map), or by their images (re-embed)."""

    target: VersionName = "live"
    kind: Literal["map", "re-embed"] = "map"
    sources: list[VersionName] | None = Field(
        default=None, min_length=1, description="Versions whose entries move; all others by default."
    )
    order: Literal["gain", "random", "oldest"] = "gain"
    batch_size: int = Field(default=256, ge=1, le=10_000, description="Entries in one transaction.")
    pace: float | None = Field(default=None, gt=0, description="Entries a second at most.")
    workers: int = Field(default=0, ge=0, le=256, description="Ray Data actors of a re-embedding.")
    force: bool = False
