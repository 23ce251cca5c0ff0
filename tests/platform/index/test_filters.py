import pytest

from holdfast.index import InvalidFilterError, parse_filter
from holdfast.index.filters import OneOf, Range


def test_nothing_filters_nothing() -> None:
    assert parse_filter(None) is None
    assert parse_filter({}) is None


def test_the_three_forms_are_understood() -> None:
    found = parse_filter({"color": "red", "size": {"in": [1, "L", True]}, "price": {"gte": 1, "lt": 5.5}})
    assert found is not None
    assert found.conditions == (
        OneOf("color", ("red",)),
        OneOf("size", (1, "L", True)),
        Range("price", (("gte", 1.0), ("lt", 5.5))),
    )


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("color", "is an object"),
        ([("color", "red")], "is an object"),
        ({"": 1}, "is not the name"),
        ({7: 1}, "is not the name"),
        ({"color": None}, "'color' compares with None"),
        ({"color": ["red"]}, "'color' compares with"),
        ({"color": {}}, "'color' knows .* it has nothing"),
        ({"color": {"eq": 1}}, r"'color' knows .* it has \['eq'\]"),
        ({"color": {"in": "red"}}, "'color'.*list"),
        ({"color": {"in": []}}, "'color'.*at least one"),
        ({"color": {"in": [None]}}, "'color' compares with None"),
        ({"color": {"in": [1], "gt": 2}}, "'color' knows"),
        ({"color": {"in": list(range(1001))}}, "at most 1000"),
        ({"price": {"gt": "1"}}, "'price': gt wants a finite number"),
        ({"price": {"gt": True}}, "'price': gt"),
        ({"price": {"lte": float("nan")}}, "'price': lte"),
        ({"price": float("inf")}, "'price'"),
        ({str(number): 1 for number in range(33)}, "at most 32 keys"),
    ],
)
def test_what_cannot_be_understood_names_the_key(raw: object, message: str) -> None:
    with pytest.raises(InvalidFilterError, match=message):
        parse_filter(raw)
