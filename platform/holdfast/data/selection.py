"""The small language that selects rows: `drawer <= 5`, `label in ['a', 'b'] and not split == 'test'`."""

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from holdfast.base import ConfigError, DataError
from holdfast.data.sources import is_text, some

_OPERATORS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ALLOWED = "comparisons (==, !=, <, <=, >, >=, in, not in) of columns with numbers or 'texts', and, or, not"


def parse(expression: str) -> ast.expr:
    """The syntax tree of an expression. Raises ConfigError for anything outside the language."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        _check(tree, expression)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _wrong(expression) from error
    return tree


def select(expression: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """The rows for which an expression holds.

    Args:
        expression: for example `drawer <= 5` or `label in ['a', 'b'] or not group == 'Latin'`.
        columns: arrays (n,) of text, numbers or booleans, by name.

    Returns:
        bool (n,).

    Raises:
        ConfigError: the expression is not in the language.
        DataError: it names a column that does not exist, or compares text with a number.
    """
    return _evaluate(parse(expression), expression, columns)


def names_in(expression: str) -> list[str]:
    """The columns that an expression names, in order. Raises ConfigError as `parse` does."""
    nodes = ast.walk(parse(expression))
    return list(dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name)))


def unknown_column(name: str, expression: str, columns: Iterable[str]) -> DataError:
    return DataError(f"The selection {expression!r} names {name}; the columns are {some(columns, 20)}.")


def _check(node: ast.expr, expression: str) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check(value, expression)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, expression)
        case ast.Name():
            pass
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [left, *comparators]
            for position, operand in enumerate(operands):
                is_list = position > 0 and isinstance(ops[position - 1], ast.In | ast.NotIn)
                if not (_is_list(operand) if is_list else _is_value(operand)):
                    raise _wrong(expression)
            if not any(isinstance(operand, ast.Name) for operand in operands):
                raise _wrong(expression)
            if any(isinstance(op, ast.Is | ast.IsNot) for op in ops):
                raise _wrong(expression)
        case _:
            raise _wrong(expression)


def _is_value(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or _is_constant(node)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float)
    return isinstance(node, ast.Constant) and isinstance(node.value, str | int | float)


def _is_list(node: ast.expr) -> bool:
    return isinstance(node, ast.List | ast.Tuple) and all(_is_constant(item) for item in node.elts)


def _wrong(expression: str) -> ConfigError:
    return ConfigError(f"Cannot understand the selection {expression!r}; allowed are {_ALLOWED}.")


def _evaluate(node: ast.expr, expression: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case ast.BoolOp(op=op, values=values):
            masks = [_evaluate(value, expression, columns) for value in values]
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return np.asarray(join.reduce(masks))
        case ast.UnaryOp(operand=operand):
            return ~_evaluate(operand, expression, columns)
        case ast.Name(id=name):
            column = _column(name, expression, columns)
            if column.dtype != bool:
                raise ConfigError(
                    f"In {expression!r}, {name} must be compared with something, as in {name} == ..."
                )
            return column
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [left, *comparators]
            pairs = zip(operands[:-1], ops, operands[1:], strict=True)
            masks = [_compare(first, op, second, expression, columns) for first, op, second in pairs]
            length = max(len(mask) for mask in masks)
            return np.logical_and.reduce([np.broadcast_to(mask, length) for mask in masks])
    raise _wrong(expression)


def _compare(
    left: ast.expr, op: ast.cmpop, right: ast.expr, expression: str, columns: Mapping[str, np.ndarray]
) -> np.ndarray:
    first = _values(left, expression, columns)
    if isinstance(op, ast.In | ast.NotIn):
        assert isinstance(right, ast.List | ast.Tuple)
        found = np.zeros(len(first), dtype=bool)
        for item in right.elts:
            second = _values(item, expression, columns)
            _require_same_kind(left, first, item, second, expression)
            found |= first == second
        return ~found if isinstance(op, ast.NotIn) else found
    second = _values(right, expression, columns)
    _require_same_kind(left, first, right, second, expression)
    return np.asarray(_OPERATORS[type(op)](first, second))


def _values(node: ast.expr, expression: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    if isinstance(node, ast.Name):
        return _column(node.id, expression, columns)
    return np.array([ast.literal_eval(node)])


def _column(name: str, expression: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    if name not in columns:
        raise unknown_column(name, expression, columns)
    return columns[name]


def _require_same_kind(
    left: ast.expr, first: np.ndarray, right: ast.expr, second: np.ndarray, expression: str
) -> None:
    if is_text(first) != is_text(second):
        kinds = {True: "text", False: "a number"}
        raise DataError(
            f"The selection {expression!r} compares {ast.unparse(left)} ({kinds[is_text(first)]}) "
            f"with {ast.unparse(right)} ({kinds[is_text(second)]})."
        )
