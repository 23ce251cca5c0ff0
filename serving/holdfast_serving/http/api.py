"""The bodies that clients send. What the server answers is built in the routes, as plain dictionaries."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from holdfast.backfill import MAX_BATCH, MAX_CANDIDATES, MAX_PACE, MAX_WORKERS, MIN_PACE
from holdfast.base import MAX_ID_BYTES, shown
from holdfast.entries import check_attributes, check_id, check_source
from holdfast_serving.http.bodies.body import (
    OTHER_ANSWER,
    Body,
    Image,
    OnError,
    Rejected,
    Text,
    VersionName,
    judged,
)
from holdfast_serving.http.bodies.items import ImageUrl, url_of

Scalar = str | int | float | bool
Attributes = dict[str, Scalar | list[Scalar] | None]
Filter = Annotated[
    dict[str, Any],
    Field(description="Only entries whose attributes match: see Filters in the page on HTTP."),
]
Choice = Annotated[
    bool | list[Annotated[str, Field(min_length=1)]],
    Field(description="Which attributes are in the answer: all, none (false), or those of a list."),
]
Vector = list[float]
EntryId = Annotated[str, Field(min_length=1, max_length=MAX_ID_BYTES)]
Seq = Annotated[int, Field(ge=0, lt=2**63)]


class EntryContent(Body):
    """What an entry holds: an image (the write version embeds it), or a vector and its version."""

    image_field: ClassVar = "image"
    image: Image | None = None
    image_url: Image | ImageUrl | None = Field(default=None, description="The image, as OpenAI writes it.")
    vector: Vector | None = None
    version: VersionName | None = None
    attributes: Attributes = Field(default={})
    source: str | None = Field(default=None, max_length=4096)

    @property
    def picture(self) -> str | bytes | None:
        return self.image if self.image_url is None else url_of(self.image_url)


class EntryBody(EntryContent):
    """One entry to write: an image (the write version embeds it), or a vector and its version."""

    id: EntryId

    @model_validator(mode="after")
    def one_content(self) -> Self:
        # The writer checks all of this again; here it is before any image is embedded.
        check_id(self.id)
        check_attributes(self.id, self.attributes)
        check_source(self.id, self.source)
        given = (self.image is not None) + (self.image_url is not None) + (self.vector is not None)
        if given != 1:
            raise ValueError(f"entry {shown(self.id)} needs exactly one of image, image_url and vector")
        if self.vector is None:
            if self.version is not None:
                raise ValueError(
                    f"entry {shown(self.id)}: an image is embedded by the write version; leave out version"
                )
        elif self.version is None:
            raise ValueError(f"entry {shown(self.id)} has a vector and must name the version that made it")
        return self


_ENTRY: TypeAdapter[EntryBody] = TypeAdapter(EntryBody)


class EntriesRequest(Body):
    entries: Annotated[
        list[Annotated[EntryBody | Rejected, Field(union_mode="left_to_right")]], Field(min_length=1)
    ]
    on_error: OnError = "fail"

    @model_validator(mode="before")
    @classmethod
    def each_entry(cls, given: Any) -> Any:
        return judged(given, "entries", _ENTRY)


class LookupRequest(Body):
    """Entries by their ids, whatever these hold: a path cannot carry every id past every proxy."""

    ids: list[EntryId] = Field(min_length=1)
    vector: bool = Field(default=False, description="Whether the vectors are in the answer.")


class DeleteRequest(Body):
    """Entries that are to go: by their ids, or all that match a filter, which may not be empty."""

    ids: list[EntryId] | None = Field(default=None, min_length=1)
    filter: Filter | None = None
    versions: list[VersionName] | None = Field(
        default=None, min_length=1, description="With a filter: only entries of these versions."
    )
    dry_run: bool = Field(
        default=False, description="With a filter: count what would go, and delete nothing."
    )

    @model_validator(mode="after")
    def one_choice(self) -> "DeleteRequest":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("a deletion needs exactly one of ids and filter")
        if self.filter is not None and not self.filter:
            raise ValueError("an empty filter would delete every entry: say which ones are to go")
        if self.ids is not None and (self.versions is not None or self.dry_run):
            raise ValueError("versions and dry_run go with a filter; a deletion by ids takes neither")
        return self


class CountRequest(Body):
    """Which entries are counted; all of them by default."""

    filter: Filter | None = None
    versions: list[VersionName] | None = Field(
        default=None, min_length=1, description="Only entries of these versions."
    )


class ListRequest(CountRequest):
    """Which entries are listed, in the order of their ids, a page at a time."""

    limit: int = Field(default=100, ge=1, description="Entries in the page at most.")
    after: EntryId | None = Field(
        default=None, description="Begin after this id: the `next` of the page before."
    )
    attributes: Choice = True
    vector: bool = Field(default=False, description="Whether the vectors are in the answer.")


class Query(Body):
    """Exactly one of image, image_url, text, vector (with the version that made it) and id (of an entry)."""

    image: Image | None = None
    image_url: Image | ImageUrl | None = Field(default=None, description="The image, as OpenAI writes it.")
    text: Text | None = None
    vector: Vector | None = None
    id: EntryId | None = None
    model: VersionName | None = Field(
        default=None,
        description="The query version; the default of image and text is live, of an entry the version that "
        "embedded it, in whose place a projection over that one may ask.",
    )

    @property
    def picture(self) -> str | bytes | None:
        return self.image if self.image_url is None else url_of(self.image_url)

    def given(self) -> list[str]:
        """What it searches by."""
        names = ("image", "image_url", "text", "vector", "id")
        return [name for name in names if getattr(self, name) is not None]

    def check(self) -> None:
        """Raises ValueError."""
        if len(self.given()) != 1:
            raise ValueError(
                "a search needs exactly one of image, text, vector and id "
                f"(given: {', '.join(self.given()) or 'none'})"
            )

    @model_validator(mode="after")
    def checked(self) -> Self:
        self.check()
        return self


_QUERY: TypeAdapter[Query] = TypeAdapter(Query)


class SearchRequest(Query):
    """A query by image, by text, by vector (with the version that made it), or by the id of an entry; or many
    `queries`, for which everything else holds."""

    image_field: ClassVar = "image"
    k: int = Field(default=10, ge=1)
    filter: Filter | None = None
    versions: list[VersionName] | None = Field(
        default=None, description="Search only entries of these versions."
    )
    relevant: list[EntryId] | None = Field(
        default=None,
        description="Entries that are right answers, where you know them; they do not change the answer, and "
        "tell the shadow's flips.",
    )
    min_seq: Seq | None = Field(default=None, description="Answer only once this write is searchable.")
    cascade: int | None = Field(
        default=None,
        ge=0,
        le=MAX_CANDIDATES,
        description="Rank so many of the best entries by their images; 0: none, and entries that only a "
        "cascade can search are left out. By default where the versions meet in no other way.",
    )
    score_threshold: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Only hits whose `calibrated` score, which they are ranked by, is at least this.",
    )
    group_by: str | None = Field(
        default=None,
        min_length=1,
        description="An attribute: the best entries of each of k of its values are answered.",
    )
    group_size: int = Field(default=1, ge=1, description="With group_by: entries of a group at most.")
    attributes: Choice = True
    user: str | None = None
    queries: Annotated[list[Query | Rejected], Field(min_length=1)] | None = Field(
        default=None,
        description="In place of one query: many of them, which are answered together.",
        json_schema_extra=OTHER_ANSWER,
    )
    on_error: OnError = Field(default="fail", json_schema_extra=OTHER_ANSWER)

    @model_validator(mode="before")
    @classmethod
    def each_query(cls, given: Any) -> Any:
        return judged(given, "queries", _QUERY)

    def check(self) -> None:
        if self.group_by is None and self.group_size != 1:
            raise ValueError("group_size goes with group_by")
        if self.queries is None:
            super().check()
            if self.vector is not None and self.model is None:
                raise ValueError("a search by vector must name in model the version that made the vector")
            if self.on_error == "skip":
                raise ValueError("on_error goes with queries: of one query nothing would be left")
        elif self.given():
            raise ValueError(f"give queries, or {self.given()[0]}, not both")
        elif self.relevant is not None:
            raise ValueError("relevant belongs to one query, and there are many queries")


class BackfillRequest(Body):
    """Move entries of older versions to `target`: by adapters (map), or by their images (re-embed)."""

    target: VersionName = "live"
    kind: Literal["map", "re-embed"] = "map"
    sources: list[VersionName] | None = Field(
        default=None, min_length=1, description="Versions whose entries move; all others by default."
    )
    order: Literal["gain", "random", "oldest"] = "gain"
    batch_size: int = Field(
        default=256, ge=1, le=MAX_BATCH, description="Entries in one transaction at most."
    )
    pace: float | None = Field(
        default=None, ge=MIN_PACE, le=MAX_PACE, allow_inf_nan=False, description="Entries a second at most."
    )
    workers: int = Field(default=0, ge=0, le=MAX_WORKERS, description="Ray Data actors of a re-embedding.")
    force: bool = False
