"""Arithmetic over the coordinates of a point: what `derive` and `where` of a study hold.

No Python is run: an expression is read as a tree, and only numbers, texts, names of fields,
arithmetic, comparisons, `and`, `or`, `not`, `a if b else c` and the functions below have a meaning.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from accelsim.errors import AccelsimError, shown

LONGEST = 500
LARGEST_POWER = 1024

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "round": round, "ceil": math.ceil, "floor": math.floor,
    "log2": math.log2, "sqrt": math.sqrt,
}  # fmt: skip


def _power(base: float, exponent: float) -> float:
    if abs(exponent) > LARGEST_POWER or abs(base) > 2.0**64:
        raise OverflowError("a power too large")
    return float(base**exponent) if exponent < 0 else base**exponent


_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: _power,
}  # fmt: skip
_COMPARE: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip

Lookup = Callable[[str], Any]


@dataclass(frozen=True)
class Expression:
    """A text such as `array.rows * array.columns <= 4096`."""

    text: str
    where: str = field(default="expression", compare=False)
    """What an error calls it."""

    def __post_init__(self) -> None:
        _ = self._tree, self.names

    @cached_property
    def _tree(self) -> ast.expr:
        if not isinstance(self.text, str) or not 1 <= len(self.text) <= LONGEST:
            raise AccelsimError(
                f"{self.where}={shown(self.text)}: must be an expression of 1 to {LONGEST} "
                "characters, such as array.rows * 2"
            )
        try:
            return ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self._refusal("cannot be read as arithmetic") from None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The fields it reads, in order of appearance; refuses whatever has no meaning here."""
        found: dict[str, None] = {}
        self._walk(self._tree, found)
        return tuple(found)

    def _walk(self, node: ast.AST, found: dict[str, None]) -> None:
        name = _dotted(node)
        if name is not None:
            found[name] = None
            return
        match node:
            case ast.Constant(value=bool() | int() | float() | str()):
                return
            case ast.BinOp() if type(node.op) in _BINARY:
                children: list[ast.AST] = [node.left, node.right]
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
                children = [node.operand]
            case ast.BoolOp():
                children = list(node.values)
            case ast.Compare() if all(type(o) in _COMPARE for o in node.ops):
                children = [node.left, *node.comparators]
            case ast.IfExp():
                children = [node.test, node.body, node.orelse]
            case ast.Call(func=ast.Name(id=function), keywords=[]) if function in FUNCTIONS:
                children = list(node.args)
            case _:
                raise self._refusal(
                    f"{shown(ast.unparse(node))} has no meaning here; allowed are numbers, texts, "
                    f"fields, + - * / // % **, comparisons, and, or, not, if else, and "
                    f"{', '.join(FUNCTIONS)}"
                )
        for child in children:
            self._walk(child, found)

    def value(self, lookup: Lookup) -> Any:
        """What it comes to; `lookup` gives the value of a field."""
        try:
            return _evaluate(self._tree, lookup)
        except AccelsimError:
            raise
        except (ArithmeticError, TypeError, ValueError) as error:
            raise self._refusal(f"cannot be computed: {error}") from None

    def _refusal(self, why: str) -> AccelsimError:
        return AccelsimError(f"{self.where}={shown(self.text, 100)}: {why}")


def _dotted(node: ast.AST) -> str | None:
    """The dotted name that a node spells, if it is one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return None if base is None else f"{base}.{node.attr}"
    return None


def _evaluate(node: ast.AST, lookup: Lookup) -> Any:
    name = _dotted(node)
    if name is not None:
        return lookup(name)
    match node:
        case ast.Constant():
            return node.value
        case ast.BinOp():
            left, right = _evaluate(node.left, lookup), _evaluate(node.right, lookup)
            if isinstance(left, str) or isinstance(right, str):
                raise TypeError("arithmetic on a text")
            return _BINARY[type(node.op)](left, right)
        case ast.UnaryOp():
            value = _evaluate(node.operand, lookup)
            return not value if isinstance(node.op, ast.Not) else _signed(node.op, value)
        case ast.BoolOp():
            values = (_evaluate(value, lookup) for value in node.values)
            return all(values) if isinstance(node.op, ast.And) else any(values)
        case ast.Compare():
            return _compared(node, lookup)
        case ast.IfExp():
            return _evaluate(node.body if _evaluate(node.test, lookup) else node.orelse, lookup)
        case ast.Call(func=ast.Name(id=function)):
            return FUNCTIONS[function](*(_evaluate(item, lookup) for item in node.args))
    raise AssertionError(node)


def _signed(sign: ast.unaryop, value: Any) -> Any:
    return -value if isinstance(sign, ast.USub) else +value


def _compared(node: ast.Compare, lookup: Lookup) -> bool:
    left = _evaluate(node.left, lookup)
    for how, right_node in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(right_node, lookup)
        if not _COMPARE[type(how)](left, right):
            return False
        left = right
    return True
