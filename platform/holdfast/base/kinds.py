"""Parts that a config chooses by its `kind`: the built-in ones by a word, others by `package.module:Class`.

A field of type `Annotated[Base, Kinds(One, Another)]` takes a config of one of the built-in classes, told
apart by their `kind`, or of a class of another package. That class is a config, too: it derives from `Base`,
its fields are the keys that stand beside `kind`, and what it builds is the part. It need not be registered.
Keys and values are checked, and mistakes explained, as for the built-in ones.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial, reduce
from operator import or_
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    SerializeAsAny,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from holdfast.base.errors import ConfigError
from holdfast.base.settings import Settings

Class = TypeVar("Class")

UNKNOWN = "unknown_kind"
"""Type of the mistake in pydantic's list of them."""
_PLACE = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")


class PartConfig(Settings):
    """Base of the bases of such configs. The `kind` of a class that gives none is the place where it lies."""

    kind: str = ""

    @model_validator(mode="before")
    @classmethod
    def _know_own_place(cls, values: Any) -> Any:
        if isinstance(values, dict) and not cls.model_fields["kind"].default:
            return {"kind": f"{cls.__module__}:{cls.__qualname__}", **values}
        return values


Part = TypeVar("Part", bound=PartConfig)


class Kinds:
    """The built-in configs among which a field's `kind` chooses, beside those of other packages."""

    def __init__(self, *configs: type[PartConfig]) -> None:
        self.configs = configs

    @property
    def names(self) -> tuple[str, ...]:
        """The built-in kinds."""
        return tuple(name for each in self.configs for name in kinds_of(each))

    def __get_pydantic_core_schema__(self, base: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        tagged = Annotated[reduce(or_, self.configs), Field(discriminator="kind")]  # type: ignore[valid-type]
        # As any, because a config of another package is written out with its own keys.
        return handler.generate_schema(
            Annotated[tagged, WrapValidator(partial(self._validate, base)), SerializeAsAny()]
        )

    def _validate(self, base: type[PartConfig], given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(given, base) and not isinstance(given, self.configs):
            return given
        kind = given.get("kind") if isinstance(given, Mapping) else None
        if isinstance(kind, str) and ":" in kind:
            return outside_part(base, given)
        if isinstance(given, Mapping) and kind not in self.names:
            raise _unknown(self._explain(kind))
        return handler(given)

    def _explain(self, kind: Any) -> str:
        close = get_close_matches(str(kind), self.names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        said = "'kind' is missing." if kind is None else f"unknown kind {kind!r}.{hint}"
        allowed = ", ".join(f"'{name}'" for name in self.names)
        return f"{said} Allowed are {allowed}, or 'package.module:Class' for a class of your own."


class Listed:
    """The built-in configs that a field's value may be, where the field tells them apart in its own way."""

    def __init__(self, *configs: type[PartConfig]) -> None:
        self.configs = configs


def load_class(place: str, base: type[Class]) -> type[Class]:
    """The class at `package.module:Class`, which has to derive from `base` and to be complete.

    Raises ConfigError that says which of it is not so.
    """
    parts = _PLACE.fullmatch(place)
    if parts is None:
        raise ConfigError(f"{place!r} names no class: write it as package.module:Class.")
    module, name = parts["module"], parts["name"]
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if (
            isinstance(error, ModuleNotFoundError)
            and error.name
            and f"{module}.".startswith(f"{error.name}.")
        ):
            raise ConfigError(
                f"{place!r}: there is no module {error.name!r} here; install the package that has it, on "
                "every machine that takes part, or set PYTHONPATH to the folder in which it lies."
            ) from error
        raise ConfigError(
            f"{place!r}: {module} cannot be imported, {type(error).__name__}: {error}."
        ) from error
    fitting = [key for key, value in vars(found).items() if _fits(value, base)]
    if not hasattr(found, name):
        close = get_close_matches(name, fitting, n=1) or fitting[:1]
        hint = f" Did you mean '{module}:{close[0]}'?" if close else ""
        raise ConfigError(f"{place!r}: {module} has no {name}.{hint}")
    kind = getattr(found, name)
    if not _fits(kind, base):
        raise ConfigError(
            f"{place!r} is not derived from {base.__module__}.{base.__qualname__}, as it has to be here."
        )
    if inspect.isabstract(kind):
        lacking = ", ".join(sorted(kind.__abstractmethods__))
        raise ConfigError(f"{place!r} is not complete: it lacks {lacking}.")
    return kind


def outside_part(base: type[Part], given: Mapping[str, Any]) -> Part:
    """The config of another package that the `kind` of a mapping names, with the mapping's other keys.

    For validators of pydantic's: what they raise is explained like the mistakes in built-in configs.
    """
    kind = given.get("kind")
    try:
        if not isinstance(kind, str):
            raise ConfigError("'kind' is missing: give 'package.module:Class'.")
        config = load_class(kind, base)
    except ConfigError as error:
        raise _unknown(str(error)) from error
    own = config.model_fields["kind"].default
    if own:
        raise _unknown(f"{kind!r} has the kind {own!r} of its own: give that, if it is built in.")
    try:
        return config.model_validate(given)
    except ValidationError as error:
        mistakes = [_below(kind, mistake) for mistake in error.errors()]
        raise ValidationError.from_exception_data(error.title, mistakes) from error


def kinds_of(config: type[BaseModel]) -> tuple[str, ...]:
    """The words that a built-in config goes by; none for one without `kind`, or of another package."""
    return get_args(config.model_fields["kind"].annotation) if "kind" in config.model_fields else ()


def configs_in(annotation: Any) -> list[type[BaseModel]]:
    """The configs that a value of this type may be, or have in it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if inspect.isabstract(annotation) else [annotation]
    arguments = get_args(annotation)
    for each in arguments:
        if isinstance(each, Kinds | Listed):
            return list(each.configs)
    return [config for each in arguments for config in configs_in(each)]


def configs_of(field: FieldInfo) -> list[type[BaseModel]]:
    """The configs that a field's value may be, or have in it."""
    return configs_in(field.rebuild_annotation())


def unknown_kinds(error: ValidationError) -> list[str]:
    """What is wrong with each `kind` that could not be found, one sentence each; empty for other mistakes."""
    return [mistake["msg"] for mistake in error.errors() if mistake["type"] == UNKNOWN]


def _fits(found: Any, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _below(kind: str, mistake: ErrorDetails) -> InitErrorDetails:
    """The same mistake, with the kind in its path as that of a built-in one is."""
    context = {**mistake.get("ctx", {}), "said": mistake["msg"]}
    return InitErrorDetails(
        type=PydanticCustomError(mistake["type"], "{said}", context),
        loc=(kind, *mistake["loc"]),
        input=mistake["input"],
    )


def _unknown(said: str) -> PydanticCustomError:
    return PydanticCustomError(UNKNOWN, "{said}", {"said": said})
