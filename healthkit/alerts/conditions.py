"""Conditions of alert rules: an expression of comparisons, logic and arithmetic, and nothing else.

Python's own parser reads it, a whitelist of node types decides, and a few lines compute it; nothing is ever handed to
`eval`. A value that is missing makes the answer UNKNOWN, by Kleene's three-valued logic: what is false whatever the
missing value may be is false, what is true whatever it may be is true, and everything else could not be told.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any

from healthkit.errors import ConfigError

Value = float | str
"""What a name stands for."""

LONGEST, MOST_NODES, DEEPEST, LARGEST = 1000, 200, 20, 1e18
"""Characters, nodes and levels of an expression, and the size of a number in it: nobody who writes a rule needs more."""
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_SIGNS = (ast.UAdd, ast.USub)


class Truth(Enum):
    """Of a condition."""

    FALSE = 0
    UNKNOWN = 1
    """Asked, and could not tell."""
    TRUE = 2


@dataclass(frozen=True)
class Condition:
    """An expression that was found harmless."""

    text: str
    """As it was written."""
    names: tuple[str, ...]
    """Names in it, in order of their first use."""
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Value]) -> Truth:
        """True, false, or unknown because a value is missing or is none that can be compared."""
        return _truth(self._tree, values)

    def missing(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """Names in it that stand for nothing."""
        return tuple(name for name in self.names if name not in values)


def parse_condition(text: str) -> Condition:
    """The condition in a text.

    Raises:
        ConfigError: It is no expression, or holds something that a condition may not hold; names it and its column.

    >>> parse_condition("disk_used_ratio > 0.9 and 0 <= load1 < 2 * cpu_count").names
    ('disk_used_ratio', 'load1', 'cpu_count')
    >>> parse_condition("open('/etc/passwd')")
    Traceback (most recent call last):
    healthkit.errors.ConfigError: column 1: Call is not allowed in a condition
    """
    if len(text) > LONGEST:
        raise ConfigError(f"column {LONGEST}: a condition has at most {LONGEST} characters, this one {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, `1and 2` and "\d", is no condition either
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ConfigError(f"column {error.offset or 1}: no expression: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"column 1: no expression that can be read: {error or type(error).__name__}") from error
    count = sum(1 for _ in ast.walk(tree))
    if count > MOST_NODES:
        raise ConfigError(f"column 1: a condition has at most {MOST_NODES} parts, this one {count}")
    _check(tree, logical=True, depth=0)
    used = sorted((n for n in ast.walk(tree) if isinstance(n, ast.Name)), key=lambda n: (n.lineno, n.col_offset))
    return Condition(text, tuple(dict.fromkeys(name.id for name in used)), tree)


def _check(node: ast.expr, *, logical: bool, depth: int) -> None:
    """Refuse what is not on the list; *logical* where true or false is asked for, not a number or a text."""
    if depth > DEEPEST:
        _refuse(node, f"deeper than {DEEPEST} levels")
    inner = _parts(node, logical=logical)
    if inner is None:
        known = isinstance(node, ast.BoolOp | ast.Compare | ast.BinOp | ast.UnaryOp)
        why = _why(node, logical=logical) if known else f"{type(node).__name__} is not allowed in a condition"
        _refuse(node, why)
    for part, wants_truth in inner or ():
        _check(part, logical=wants_truth, depth=depth + 1)


def _parts(node: ast.expr, *, logical: bool) -> list[tuple[ast.expr, bool]] | None:
    """What a node is made of, and whether true or false is asked of it; None for a node that may not be here."""
    match node:
        case ast.BoolOp(values=values) if logical:
            return [(value, True) for value in values]
        case ast.UnaryOp(op=ast.Not(), operand=operand) if logical:
            return [(operand, True)]
        case ast.Compare(left=left, ops=ops, comparators=rest) if logical and all(type(o) in _COMPARISONS for o in ops):
            return [(value, False) for value in (left, *rest)]
        case ast.BinOp(left=left, op=op, right=right) if not logical and type(op) in _ARITHMETIC:
            return [(left, False), (right, False)]
        case ast.UnaryOp(op=op, operand=operand) if not logical and isinstance(op, _SIGNS):
            return [(operand, False)]
        case ast.Constant(value=value):
            _check_literal(node, value)
            return []
    return [] if isinstance(node, ast.Name) else None


def _check_literal(node: ast.Constant, value: object) -> None:
    if not isinstance(value, bool | int | float | str):
        _refuse(node, f"a literal of type {type(value).__name__} is not allowed in a condition")
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        _refuse(node, f"a number larger than {LARGEST:g}")


def _why(node: ast.expr, *, logical: bool) -> str:
    operators = node.ops if isinstance(node, ast.Compare) else [getattr(node, "op", None)]
    known = (*_COMPARISONS, *_ARITHMETIC, *_SIGNS, ast.Not, ast.And, ast.Or)
    strange = [type(op).__name__ for op in operators if not isinstance(op, known)]
    if strange:
        return f"the operator {strange[0]} is not allowed in a condition"
    return "a number where true or false is needed" if logical else "true or false where a number or a text is needed"


def _refuse(node: ast.expr, why: str) -> None:
    raise ConfigError(f"column {node.col_offset + 1}: {why}")


def _truth(node: ast.expr, values: Mapping[str, Value]) -> Truth:
    match node:
        case ast.BoolOp(op=op, values=parts):
            truths = [_truth(part, values).value for part in parts]
            return Truth(min(truths) if isinstance(op, ast.And) else max(truths))
        case ast.UnaryOp(operand=operand):
            return Truth(2 - _truth(operand, values).value)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            sides = [_value(side, values) for side in (left, *rest)]
            return min((_compare(op, *pair) for op, pair in zip(ops, pairwise(sides), strict=True)), key=_rank)
    value = _value(node, values)
    return Truth.UNKNOWN if value is None else Truth.TRUE if value else Truth.FALSE


def _rank(truth: Truth) -> int:
    return truth.value


def _compare(op: ast.cmpop, left: Value | None, right: Value | None) -> Truth:
    if left is None or right is None:
        return Truth.UNKNOWN
    if isinstance(left, str) != isinstance(right, str):
        return Truth.UNKNOWN  # a text is neither more nor less than a number, and not another one either
    return Truth.TRUE if _COMPARISONS[type(op)](left, right) else Truth.FALSE


def _value(node: ast.expr, values: Mapping[str, Value]) -> Value | None:
    """A number or a text; None where it is missing, or is no number where one is needed."""
    match node:
        case ast.Constant(value=value):
            return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            found = values.get(name)
            return found if found is None or isinstance(found, str) else _number(float(found))
        case ast.UnaryOp(op=op, operand=operand):
            number = _value(operand, values)
            return (
                None if number is None or isinstance(number, str) else -number if isinstance(op, ast.USub) else number
            )
        case ast.BinOp(left=left, op=op, right=right):
            sides = _value(left, values), _value(right, values)
            return _compute(op, *sides)
    raise AssertionError(node)  # parse_condition let it through


def _compute(op: ast.operator, left: Value | None, right: Value | None) -> float | None:
    if left is None or right is None or isinstance(left, str) or isinstance(right, str):
        return None
    try:
        return _number(_ARITHMETIC[type(op)](left, right))
    except ZeroDivisionError:
        return None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
