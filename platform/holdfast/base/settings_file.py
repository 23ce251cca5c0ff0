"""From YAML and `dotted.key=value` to a config, with mistakes explained."""

import copy
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from holdfast.base.errors import ConfigError
from holdfast.base.kinds import UNKNOWN, configs_of, kinds_of, load_class
from holdfast.base.redaction import HIDDEN, hide_secrets, is_secret
from holdfast.base.settings import Settings
from holdfast.base.yaml_text import decode_yaml, load_yaml

Model = TypeVar("Model", bound=Settings)


def load_settings(model: type[Model], file: str | Path | None, overrides: Sequence[str] = ()) -> Model:
    """Read a YAML file, if there is one, and put `dotted.key=value` over it.

    Raises:
        ConfigError: the file is missing or not YAML, a key is unknown (names the ones that exist), a value
            is of the wrong type or impossible (names the key's path and what is allowed).
    """
    return parse_settings(model, read_values(file, overrides), "--set" if file is None else str(file))


def read_values(file: str | Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a YAML file says, with `dotted.key=value` over it, not validated. Raises ConfigError."""
    values = {} if file is None else _read(Path(file))
    places: dict[tuple[str | int, ...], str] = {}
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set {override!r} is not of the form dotted.key=value.")
        try:
            value = load_yaml(text)
        except ValueError as error:
            raise ConfigError(f"--set {override!r}: the value is not valid YAML: {error}.") from error
        place = set_key(values, key, value)
        _say_what_is_replaced(places, place, override)
        places[place] = override
    return values


def parse_settings(model: type[Model], values: dict[str, Any], origin: str) -> Model:
    """Validate plain values. Raises ConfigError, one line for each mistake."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        mistakes = "\n".join(f"  {_explain(model, detail)}" for detail in error.errors())
        raise ConfigError(f"{origin}:\n{mistakes}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        values = load_yaml(decode_yaml(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no mapping of keys to values.")
    return values


def _say_what_is_replaced(
    places: dict[tuple[str | int, ...], str], place: tuple[str | int, ...], override: str
) -> None:
    for earlier, said in places.items():
        if earlier[: len(place)] == place and said != override:
            replaced = hide_secrets(f"--set {said} is replaced by --set {override}")
            warnings.warn(f"{replaced}: the last one counts.", stacklevel=3)


def set_key(values: dict[str, Any], key: str, value: Any) -> tuple[str | int, ...]:
    """Set `a.b.c` in nested dictionaries and lists; a list's item is named by its number or its `kind`.

    Returns where that is, which is the same for all ways to name it.
    """
    at: Any = values
    place: list[str | int] = []
    rest = key.split(".")
    while rest:
        part: str | int
        if isinstance(at, list):
            part, count = _list_position(at, rest, key)
        elif isinstance(at, dict):
            part, count = rest[0], 1
        else:
            above = key.removesuffix("." + ".".join(rest))
            raise ConfigError(f"{key}: '{above}' is a single value, nothing lies below it.")
        place.append(part)
        rest = rest[count:]
        if not rest:
            at[part] = value
        elif isinstance(at, dict) and at.get(part) is None:
            at[part] = {}
        at = at[part]
    return tuple(place)


def refuse_same_place(values: dict[str, Any], keys: Iterable[str], origin: str) -> None:
    """Raises ConfigError if two dotted keys name the same value, as `regularizers.0` and its kind do."""
    places: dict[tuple[str | int, ...], str] = {}
    for key in keys:
        place = set_key(copy.deepcopy(values), key, None)
        for other, named in places.items():
            shared = min(len(place), len(other))
            if place[:shared] == other[:shared]:
                raise ConfigError(f"{origin}: '{named}' and '{key}' name one value: take one of them out.")
        places[place] = key


def _list_position(items: list[Any], parts: list[str], key: str) -> tuple[int, int]:
    """Which item is named by the first parts of the rest of a key, and by how many: a kind may have dots."""
    first = parts[0]
    if first.isascii() and first.isdigit() and int(first) < len(items):
        return int(first), 1
    kinds = [str(item.get("kind", "")) if isinstance(item, dict) else "" for item in items]
    for position, kind in enumerate(kinds):
        count = kind.count(".") + 1
        if kind and ".".join(parts[:count]) == kind:
            return position, count
    allowed = ", ".join([*(str(number) for number in range(len(items))), *(kind for kind in kinds if kind)])
    raise ConfigError(f"{key}: the list has no item '{first}'; it has {allowed or 'no items'}.")


def _explain(model: type[BaseModel], detail: Any) -> str:
    """One sentence for one pydantic error: path, what is wrong, what is allowed."""
    location = tuple(detail["loc"])
    path = ".".join(str(part) for part in location)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed_keys(model, location[:-1])
        close = get_close_matches(str(location[-1]), allowed, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        return f"{path}: unknown key.{hint} Allowed here: {', '.join(allowed)}."
    if detail["type"] == "missing":
        return f"{path}: missing, and it has no default."
    if detail["type"] == UNKNOWN:
        return f"{path}: {detail['msg']}"
    if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{path}: 'kind' must be one of {detail['ctx'].get('expected_tags', 'the documented kinds')}."
    said = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_type" and isinstance(detail["input"], bool | int | float | None):
        said += "; put it in quotes if it is meant to be one"
    given = HIDDEN if any(is_secret(str(part)) for part in location) else repr(detail["input"])
    return f"{path}: {said} (got {given})."


def _allowed_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys of the config at a pydantic error location; tags and list positions are stepped over."""
    candidates = [model]
    for part in location:
        fields = [each.model_fields[part] for each in candidates if part in each.model_fields]
        if fields:
            candidates = [inner for field in fields for inner in configs_of(field)]
        elif isinstance(part, str) and ":" in part:
            candidates = [load_class(part, BaseModel)]
        else:
            tagged = [each for each in candidates if part in kinds_of(each)]
            candidates = tagged or candidates
    return list(dict.fromkeys(name for each in candidates for name in each.model_fields))
