"""Values of options that are more than text: durations, sizes, money. Imported parsers are loaded when one is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["DURATION", "MONEY", "SIZE"]


class _Parsed(click.ParamType[Any]):
    """A text that a parser of `longshore.model.quantity` reads."""

    def __init__(self, name: str, parser: str) -> None:
        self.name = name
        self._parser = parser

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or say what is wrong with it."""
        if not isinstance(value, str):
            return value
        from longshore.model import quantity

        parse: Callable[[object], Any] = getattr(quantity, self._parser)
        try:
            return parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Parsed("duration", "parse_duration")
SIZE = _Parsed("size", "parse_size")
MONEY = _Parsed("money", "parse_money")
