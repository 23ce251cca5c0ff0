"""What all bodies have in common: strict keys, and how an image stands in them."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    JsonValue,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from holdfast.base import HoldfastError, shown
from holdfast_serving.http.faults import explain_faults

Image = Annotated[
    str | bytes,
    Field(min_length=1),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "description": "A data URI (data:image/...;base64,...) or plain base64.",
        }
    ),
]
"""The bytes of a file where it was uploaded."""
Text = Annotated[str, Field(min_length=1, description="Words, for a version that takes text.")]
VersionName = Annotated[str, Field(min_length=1, max_length=128)]
OnError = Annotated[
    Literal["fail", "skip"],
    Field(
        description="Whether an item that cannot be done refuses all, or is left out and named in `errors`."
    ),
]


OTHER_ANSWER: dict[str, JsonValue] = {"x-other-answer": True}
"""Marks a field with which the answer has another shape than without it."""


class Body(BaseModel):
    """Strict: a mistyped key is a 422, not a default that nobody asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    image_field: ClassVar[str | None] = None
    """Where the image of an upload belongs; None where nothing is uploaded."""
    known: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.known = frozenset(cls.model_fields)

    @model_validator(mode="before")
    @classmethod
    def known_keys(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.keys() <= cls.known:
            for key in given:
                if key not in cls.known:
                    close = get_close_matches(str(key), cls.model_fields, 1)
                    hint = f" (did you mean {close[0]}?)" if close else ""
                    raise ValueError(
                        f"{shown(key)} is no key here{hint}: the keys are {', '.join(cls.model_fields)}"
                    )
        return given


class RejectedError(HoldfastError):
    """One item of a request that is not of the shape it should have, or holds what cannot be."""

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


Rejected = SkipJsonSchema[InstanceOf[RejectedError]]
"""In place of an item, where others go on without it."""


def judged(given: Any, field: str, shape: TypeAdapter[Any]) -> Any:
    """The body with every item of this field read by itself, if what fails is to be skipped: what is not of
    the shape becomes a `RejectedError`, and the others are read. Any other body as it is."""
    if not isinstance(given, dict) or given.get("on_error") != "skip":
        return given
    items = given.get(field)
    if not isinstance(items, list):
        return given
    return given | {field: [_read(given, field, at, item, shape) for at, item in enumerate(items)]}


def _read(given: Mapping[str, Any], field: str, at: int, item: Any, shape: TypeAdapter[Any]) -> Any:
    try:
        return shape.validate_python(item)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", field, at, *fault["loc"])} for fault in error.errors()]
        return RejectedError(explain_faults(faults, given))
    except HoldfastError as error:
        return RejectedError(str(error), error.code)
