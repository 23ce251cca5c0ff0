"""What filters mean, in the plainest words, and filters to try it with."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}

ENDS = [0, 1, -1, 2, 1.5, -0.0, 1e300, -2.5e-7, 2**53, 0.1]
DATES = [
    "2024-02-29",
    "2024-02-29T00:00Z",
    "2024-02-28T19:00:00-05:00",
    "2024-02-29 00:00:00.000001",
    "2024-02-29T00:00:00.123456789+00:00",
    "2024-02-29T00:00:00.1234565",
    "2024-03-01T01:30+0130",
    "2024-03-01T05:00+05",
    "1969-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2000-02-29",
]
NEARLY_DATES = [
    "2024-02-30",
    "2023-02-29",
    "1900-02-29",
    "0000-01-01",
    "2024-02-29T24:00",
    "2024-02-29T12:60",
    "2024-02-29T12:00:60",
    "2024-02-29T12:00+16:00",
    "2024-02-29T",
    "2024-02-29T05",
    "2024-02",
    "20240229",
    " 2024-02-29",
    "2024-02-29\n",
    "٢٠٢٤-02-29",
    "now",
]
TEXTS = ["", "1", "true", 'a"b', "a\\b", "a'b", "\n\t\r", "é😀", "a and 1 == 1", "x y", "[1]", "\\u00e9"]
KEYS = st.sampled_from(
    ["a", "b", 'k"', "k'\\", "terms", "id", "é", "a]", "k\n", "and", "not", "$.a", "\\u0061"]
)
SCALARS = st.one_of(st.booleans(), st.sampled_from(ENDS), st.sampled_from(TEXTS))
DATED = st.one_of(SCALARS, st.sampled_from(DATES + NEARLY_DATES))
VALUES = st.one_of(DATED, st.lists(DATED, max_size=4))
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)
PLAIN = st.dictionaries(KEYS, DATED, max_size=4)
"""Without lists."""

_OPERATORS = st.sampled_from(list(_COMPARE))
_NUMBERS = st.dictionaries(_OPERATORS, st.sampled_from(ENDS), min_size=1)
_MOMENTS = st.dictionaries(_OPERATORS, st.sampled_from(DATES), min_size=1)


def conditions(forms: Any = ("in", "range", "dates", "exists")) -> st.SearchStrategy[Any]:
    """What may be said of one attribute."""
    found: list[st.SearchStrategy[Any]] = [DATED]
    if "in" in forms:
        found.append(st.builds(lambda choices: {"in": choices}, st.lists(DATED, min_size=1, max_size=12)))
    if "range" in forms:
        found.append(_NUMBERS)
    if "dates" in forms:
        found.append(_MOMENTS)
    if "exists" in forms:
        found.append(st.sampled_from([{"exists": True}, {"exists": False}]))
    return st.one_of(found)


def filters(forms: Any = ("in", "range", "dates", "exists", "not", "or")) -> st.SearchStrategy[Any]:
    """Filters that say something, with filters within them if `not` and `or` are among the forms."""
    # Of an attribute that is called so, an object would be a filter.
    keys = KEYS.filter(lambda key: key != "not")
    plain = st.dictionaries(keys, conditions(forms), min_size=1, max_size=2)
    if "not" not in forms or "or" not in forms:
        return plain
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.builds(lambda part: {"not": part}, inner),
            st.builds(lambda parts: {"or": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"and": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda key, value, part: {key: value, "not": part}, keys, conditions(forms), inner),
        ),
        max_leaves=5,
    )


def matches(attributes: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
    """Whether a filter, as JSON, matches."""
    return all(_part(attributes, key, wanted) for key, wanted in raw.items())


def _part(attributes: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if key == "and" and isinstance(wanted, list):
        return all(matches(attributes, part) for part in wanted)
    if key == "or" and isinstance(wanted, list):
        return any(matches(attributes, part) for part in wanted)
    if key == "not" and isinstance(wanted, dict):
        return not matches(attributes, wanted)
    if isinstance(wanted, dict) and "exists" in wanted:
        return (key in attributes) == wanted["exists"]
    if key not in attributes:
        return False
    value = attributes[key]
    return any(_holds(each, wanted) for each in (value if isinstance(value, list) else [value]))


def _holds(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return _same(value, wanted)
    if "in" in wanted:
        return any(_same(value, choice) for choice in wanted["in"])
    if isinstance(next(iter(wanted.values())), str):
        found = _moment(value)
        return found is not None and all(_COMPARE[name](found, _moment(at)) for name, at in wanted.items())
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and all(_COMPARE[name](value, bound) for name, bound in wanted.items())


def _kind(value: Any) -> type:
    return bool if isinstance(value, bool) else str if isinstance(value, str) else float


def _same(left: Any, right: Any) -> bool:
    return _kind(left) is _kind(right) and left == right


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or value in NEARLY_DATES:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
