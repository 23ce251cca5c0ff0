import pytest

from holdfast.filters import (
    And,
    Dates,
    Exists,
    InvalidFilterError,
    Not,
    OneOf,
    Or,
    Range,
    instant,
    parse_filter,
)
from holdfast.testing.filters import NEARLY_DATES


def deep(levels: int) -> dict[str, object]:
    return {"not": deep(levels - 1)} if levels else {"color": "red"}


def test_nothing_filters_nothing() -> None:
    assert parse_filter(None) is None
    assert parse_filter({}) is None


def test_the_three_forms_are_understood() -> None:
    found = parse_filter({"color": "red", "size": {"in": [1, "L", True]}, "price": {"gte": 1, "lt": 5.5}})
    assert found == And(
        (
            OneOf("color", ("red",)),
            OneOf("size", (1, "L", True)),
            Range("price", (("gte", 1.0), ("lt", 5.5))),
        )
    )


def test_filters_are_negated_and_joined() -> None:
    red, small = OneOf("color", ("red",)), Range("size", (("lt", 3.0),))
    raw_red, raw_small = {"color": "red"}, {"size": {"lt": 3}}
    assert parse_filter({"not": raw_red}) == Not(red)
    assert parse_filter({"or": [raw_red, raw_small]}) == Or((red, small))
    assert parse_filter({"and": [raw_red, {"not": {"or": [raw_small]}}]}) == And((red, Not(Or((small,)))))
    assert parse_filter({**raw_red, "or": [raw_small]}) == And((red, Or((small,))))
    assert parse_filter({"color": {"exists": True}}) == Exists("color")
    assert parse_filter({"color": {"exists": False}}) == Not(Exists("color"))


def test_attributes_may_be_called_as_operators_are() -> None:
    assert parse_filter({"or": "x", "and": {"gt": 1}, "not": True, "in": 2}) == And(
        (OneOf("or", ("x",)), Range("and", (("gt", 1.0),)), OneOf("not", (True,)), OneOf("in", (2,)))
    )


def test_dates_are_instants() -> None:
    assert parse_filter({"taken": {"gte": "1970-01-01", "lt": "1970-01-02T01:00:00.5+01:00"}}) == Dates(
        "taken", (("gte", 0), ("lt", 86_400_500_000))
    )
    noon = instant("2024-05-31T12:00:00Z")
    assert noon is not None
    same = [
        "2024-05-31 12:00",
        "2024-05-31T14:00+02:00",
        "2024-05-31T07:00-0500",
        "2024-05-31T12:00:00.0000009",
    ]
    assert {instant(text) for text in same} == {noon}
    assert instant("2024-05-31") == noon - 12 * 3_600_000_000


@pytest.mark.parametrize("text", NEARLY_DATES)
def test_what_is_no_date_is_none(text: str) -> None:
    assert instant(text) is None
    with pytest.raises(InvalidFilterError, match="gt wants a finite number, or a date such as"):
        parse_filter({"taken": {"gt": text}})


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
        ({"color": {"exists": 1}}, "'color': .exists. wants true or false"),
        ({"color": {"not": "red"}}, "'color' knows .* To negate"),
        ({"price": {"gt": 1, "lt": "2024-05-31"}}, "'price': lt wants a finite number, or all bounds a date"),
        ({"not": {}}, "'not' wants filters".replace("'", ".")),
        ({"not": {"gt": 5}}, "names no attribute"),
        ({"or": []}, "at least one filter"),
        ({"or": ["red"]}, "wants filters such as .* not 'red'"),
        ({"and": [{}]}, "wants filters"),
        ({"or": {"color": "red"}}, "'or' knows"),
        ({"or": [{str(number): 1} for number in range(129)]}, "at most 128 conditions"),
        ({str(number): {"in": list(range(1000))} for number in range(5)}, "at most 4,000 values"),
        (deep(8), "8 deep"),
    ],
)
def test_what_cannot_be_understood_names_the_key(raw: object, message: str) -> None:
    with pytest.raises(InvalidFilterError, match=message):
        parse_filter(raw)
