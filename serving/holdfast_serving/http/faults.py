"""What pydantic found wrong in a request, in one sentence that says where, and what is allowed there."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.base import shown

SHOWN = 5  # places that are named

_WANTED = {
    "string_type": "text",
    "bytes_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "{expected}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "a list of at least {min_length} items",
    "too_long": "a list of at most {max_length} items",
}

Path = tuple[str | int, ...]


def explain_faults(faults: Sequence[Mapping[str, Any]], body: Any) -> str:
    """One sentence about all places that are wrong, or about the first few of them.

    Args:
        faults: what pydantic's `errors()` gives, at least one.
        body: the parsed body that they are about.
    """
    by_path: dict[Path, list[Mapping[str, Any]]] = {}
    for fault in faults:
        if fault["type"] == "is_instance_of":
            continue  # what the server itself puts there, and nobody can send
        by_path.setdefault(_path(fault, body), []).append(fault)
    # Where one of several kinds may stand, the one that failed further inside is the one that was meant.
    meant = {
        path: found
        for path, found in by_path.items()
        if not any(other != path and other[: len(path)] == path for other in by_path)
    }
    said = [_say(path, found) for path, found in list(meant.items())[:SHOWN]]
    more = len(meant) - len(said)
    return "; ".join(said) + (f"; and {more} more such faults." if more else ".")


def _path(fault: Mapping[str, Any], body: Any) -> Path:
    """Where in the request: pydantic puts the kinds that it tried among the keys."""
    loc = fault["loc"]
    if loc[0] != "body":
        return tuple(loc[1:]) or tuple(loc)
    path: list[str | int] = []
    here = body
    for part in loc[1:]:
        if _leads_on(here, part):
            here = here[part]
        elif fault["type"] != "missing":
            continue
        path.append(part)
    return tuple(path)


def _leads_on(here: Any, part: str | int) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, dict) and part in here


def _say(path: Path, faults: Sequence[Mapping[str, Any]]) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    where = where if len(where) < 200 else f"{where[:200]}..."
    first = faults[0]
    if first["type"] == "missing":
        return f"{where} is missing" if where else "the body is missing: it is a JSON object"
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    wanted = list(dict.fromkeys(_wanted(fault) for fault in faults))
    allowed = wanted[0] if len(wanted) == 1 else f"{', '.join(wanted[:-1])} or {wanted[-1]}"
    return f"{where or 'the body'} has to be {allowed}, not {shown(first.get('input'))}"


def _wanted(fault: Mapping[str, Any]) -> str:
    words = _WANTED.get(fault["type"])
    return fault["msg"] if words is None else words.format(**fault.get("ctx", {}))
