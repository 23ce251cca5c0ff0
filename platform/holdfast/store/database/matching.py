"""Filters over attributes as SQL: what each of the two databases has for JSON is in this file.

Reading the JSON of every row is most of the work, so where a condition wants texts or whole numbers it is
first looked whether they stand in the row at all.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import (
    Column,
    ColumnElement,
    Double,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from holdfast.base import Scalar
from holdfast.filters import (
    PATTERN,
    And,
    Condition,
    Dates,
    Exists,
    Filter,
    Not,
    OneOf,
    Or,
    OtherThan,
    Range,
    as_text,
)

Sql = ColumnElement[bool]
_COMPARE: dict[str, Callable[[Any, Any], Sql]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


_WRITTEN_ALIKE = re.compile(r"[ !#-%(-.0-;=?-\[\]-~]+")
"""Texts that every writer of JSON writes as they are: printable, ASCII, and nothing that some escape."""
_WHOLE = 10**15
"""From here on a writer may give a whole number an exponent."""
_LOOKED_FOR = 8  # texts in a row; for more its JSON is read


class _Value(Protocol):
    """One plain value of an attribute, or one member of a list, in SQL."""

    def numbers(self, test: Callable[[Any], Sql]) -> Sql:
        """Whether it is a number for which a test holds."""
        ...

    def texts(self, choices: list[str]) -> Sql: ...

    def is_bool(self, wanted: bool) -> Sql: ...

    def dates(self, bounds: Any) -> Sql: ...


def matching(attributes: Column[Any], allowed: Filter, dialect: str) -> Sql:
    """Whether the attributes of a row match, true or false and never null.

    Args:
        dialect: `sqlite` or `postgresql`.
    """
    match allowed:
        case And(parts):
            return and_(*(matching(attributes, part, dialect) for part in parts))
        case Or(parts):
            return or_(*(matching(attributes, part, dialect) for part in parts))
        case Not(part):
            return not_(matching(attributes, part, dialect))
    condition = (_in_postgresql if dialect == "postgresql" else _in_sqlite)(attributes, allowed)
    words = _words(allowed)
    if not words:
        return condition
    # Both databases leave the subquery of the condition for last.
    find = func.strpos if dialect == "postgresql" else func.instr
    text = cast(attributes, Text) if dialect == "postgresql" else type_coerce(attributes, Text)
    return and_(or_(*(find(text, word) > 0 for word in words)), condition)


def _words(condition: Condition) -> list[str]:
    """Texts one of which stands in the JSON of every row that matches; none where that is not known."""
    if not isinstance(condition, OneOf) or len(condition.choices) > _LOOKED_FOR:
        return []
    found = [_written(choice) for choice in condition.choices]
    return [] if None in found else [word for word in found if word is not None]


def _written(value: Scalar) -> str | None:
    """What stands in JSON wherever the value does, whoever wrote it; None if that is not known."""
    if isinstance(value, str):
        return f'"{value}"' if _WRITTEN_ALIKE.fullmatch(value) else None
    if isinstance(value, bool) or not abs(value) < _WHOLE or value != int(value):
        return None
    return str(abs(int(value)))


def _in_sqlite(attributes: Column[Any], condition: Condition) -> Sql:
    pair = func.json_each(attributes).table_valued("key", "value", "type", name="pair")
    here = select(1).select_from(pair).where(pair.c.key == condition.key)
    if not isinstance(condition, Exists):
        member = func.json_each(pair.c.value).table_valued("value", "type", name="member")
        of_list = exists(
            select(1).select_from(member).where(_test(_OfSqlite(member.c.type, member.c.value), condition))
        )
        alone = _test(_OfSqlite(pair.c.type, pair.c.value), condition)
        here = here.where(case((pair.c.type == "array", of_list), else_=alone))
    return exists(here)


def _in_postgresql(attributes: Column[Any], condition: Condition) -> Sql:
    value = attributes.op("->")(condition.key)
    if isinstance(condition, Exists):
        return value.is_not(None)
    listed = case((func.json_typeof(value) == "array", value), else_=func.json_build_array(value))
    member = func.json_array_elements(listed).table_valued("value", name="member")
    return exists(select(1).select_from(member).where(_test(_OfPostgresql(member.c.value), condition)))


def _test(value: _Value, condition: Condition) -> Sql:
    match condition:
        case OneOf(_, choices):
            return _one_of(value, choices)
        case OtherThan(_, choices):
            return not_(_one_of(value, choices))
        case Range(_, bounds):
            return value.numbers(
                lambda number: and_(*(_COMPARE[name](number, bound) for name, bound in bounds))
            )
        case Dates(_, bounds):
            return value.dates(bounds)
    raise TypeError(f"{condition} is no test of a value")


def _one_of(value: _Value, choices: tuple[Scalar, ...]) -> Sql:
    texts = [each for each in choices if isinstance(each, str)]
    bools = {each for each in choices if isinstance(each, bool)}
    numbers = [float(each) for each in choices if not isinstance(each, str | bool)]
    tests = [value.is_bool(wanted) for wanted in sorted(bools)]
    if texts:
        tests.append(value.texts(texts))
    if numbers:
        tests.append(value.numbers(lambda number: number.in_(numbers)))
    return or_(*tests)


class _OfSqlite:
    def __init__(self, kind: ColumnElement[Any], value: ColumnElement[Any]) -> None:
        self._kind, self._value = kind, value

    def numbers(self, test: Callable[[Any], Sql]) -> Sql:
        return and_(self._kind.in_(["integer", "real"]), test(self._value))

    def texts(self, choices: list[str]) -> Sql:
        return and_(self._kind == "text", self._value.in_(choices))

    def is_bool(self, wanted: bool) -> Sql:
        return self._kind == ("true" if wanted else "false")

    def dates(self, bounds: Any) -> Sql:
        # A function of ours, see `engine`: SQLite's own takes days that are not, such as 2024-02-30.
        found = func.holdfast_instant(self._value)
        return and_(
            self._kind == "text",
            found.is_not(None),
            *(_COMPARE[name](found, bound) for name, bound in bounds),
        )


class _OfPostgresql:
    """AND promises no order there, and a cast of what is no number is an error: CASE does promise it."""

    def __init__(self, value: ColumnElement[Any]) -> None:
        self._kind = func.json_typeof(value)
        self._text = value.op("#>>", return_type=Text())(literal_column("'{}'"))

    def numbers(self, test: Callable[[Any], Sql]) -> Sql:
        return self._where("number", test(cast(self._text, Double)))

    def texts(self, choices: list[str]) -> Sql:
        return self._where("string", self._text.in_(choices))

    def is_bool(self, wanted: bool) -> Sql:
        return self._where("boolean", self._text == ("true" if wanted else "false"))

    def dates(self, bounds: Any) -> Sql:
        text, zoned = self._text, TIMESTAMP(timezone=True)
        zone = case(
            (func.length(text) == 10, " 00:00+00"),
            (func.substr(text, 11).regexp_match("[Z+-]"), ""),
            else_="+00",
        )
        # PostgreSQL would round what lies below microseconds.
        found = cast(func.regexp_replace(text, r"([.]\d{6})\d+", r"\1").op("||")(zone), zoned)
        tests = [_COMPARE[name](found, cast(literal(as_text(bound), Text), zoned)) for name, bound in bounds]
        date = case((text.regexp_match(f"^(?:{PATTERN})$"), and_(*tests)), else_=false())
        return self._where("string", date)

    def _where(self, kind: str, test: Sql) -> Sql:
        return case((self._kind == kind, test), else_=false())
