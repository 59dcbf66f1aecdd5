"""Reading the value of a variable in a Python file without executing any of it."""

from __future__ import annotations

import ast
from datetime import timedelta
from typing import Any

from attrs import define, field

from longshore.errors import ConfigError, Problem
from longshore_cli.imports.imported import Remarks

__all__ = ["read_variable"]

_LONGEST_SHOWN = 60


class _ComputedError(Exception):
    """A value that only running the file would tell."""


def read_variable(text: str, name: str, place: str, remarks: Remarks) -> Any:
    """Give the value that a file assigns to a variable at its top, where it stands there in plain sight: literals,
    names of others that do, ``+`` between texts, numbers or lists, and ``timedelta(...)``.

    What is computed otherwise is left out of tables and lists, with a remark.

    Raises:
        ConfigError: when the file is no Python, or does not assign the variable.
    """
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        message, remedy = f"this is not Python: {reason}", "mend the file, or name another one"
        raise ConfigError([Problem(place=f"{place}{line}", key="", message=message, remedy=remedy)]) from None
    reader = _Reader(remarks)
    found = False
    for statement in module.body:
        for target, value in _assigned(statement):
            try:
                reader.names[target] = reader.value(value, target)
            except (_ComputedError, RecursionError):
                reader.names.pop(target, None)
                if target == name:
                    message = f"{name!r} is not written down as a table in line {value.lineno}"
                    remedy = f"write it out, as in {name} = {{...}}; the file is not executed"
                    raise ConfigError([Problem(place=place, key=name, message=message, remedy=remedy)]) from None
            else:
                found = found or target == name
    if not found:
        remedy = f"name a file that says {name} = {{...}}; it is read, and not executed"
        raise ConfigError([Problem(place=place, key="", message=f"there is no {name!r} at the top", remedy=remedy)])
    return reader.names[name]


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [(target.id, value) for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return [(name, value)]
        case _:
            return []


@define
class _Reader:
    remarks: Remarks
    names: dict[str, Any] = field(factory=dict[str, Any])

    def value(self, node: ast.expr, key: str) -> Any:
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str()):
                return node.value
            case ast.Dict(keys=keys, values=values):
                return self._table(keys, values, key)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [value for item in items for value in self._kept(item, key)]
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._of_type(operand, key, (int, float))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._sum(left, right, key)
            case ast.Call(func=ast.Name(id="timedelta") | ast.Attribute(attr="timedelta"), args=[], keywords=words):
                return self._duration(words, key)
            case _:
                raise _ComputedError

    def _table(self, keys: list[ast.expr | None], values: list[ast.expr], key: str) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for name, value in zip(keys, values, strict=True):
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                for read in self._kept(value, f"{key}.{name.value}"):
                    table[name.value] = read
            else:
                self._leave(value, f"a key of {key}")
        return table

    def _kept(self, node: ast.expr, key: str) -> list[Any]:
        """Read what stands in a table or list; nothing when it is computed."""
        try:
            return [self.value(node, key)]
        except _ComputedError:
            self._leave(node, key)
            return []

    def _leave(self, node: ast.expr, key: str) -> None:
        shown = ast.unparse(node)
        shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."
        self.remarks.say(f"{key} is computed in line {node.lineno} ({shown}); it was left out: nothing is executed")

    def _of_type(self, node: ast.expr, key: str, kinds: tuple[type, ...]) -> Any:
        value = self.value(node, key)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise _ComputedError
        return value

    def _sum(self, left: ast.expr, right: ast.expr, key: str) -> Any:
        one = self._of_type(left, key, (int, float, str, list))
        other = self._of_type(right, key, (int, float) if isinstance(one, int | float) else (type(one),))
        return one + other

    def _duration(self, words: list[ast.keyword], key: str) -> timedelta:
        given = {word.arg: self._of_type(word.value, key, (int, float)) for word in words if word.arg is not None}
        try:
            return timedelta(**given)
        except (TypeError, OverflowError):
            raise _ComputedError from None
