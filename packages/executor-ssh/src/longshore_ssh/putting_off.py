"""Importing a library when it is used, where another library imports it for what hardly anybody needs."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import Any

__all__ = ["put_off"]

_one_at_a_time = Lock()


class _Later(ModuleType):
    """Stands where the module will be, and makes room for it when something of it is wanted."""

    def __getattr__(self, name: str) -> Any:
        with _one_at_a_time:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def put_off(name: str) -> None:
    """Let a module be imported when something of it is used; harmless when it has been, or is not installed."""
    if name not in sys.modules and find_spec(name) is not None:
        sys.modules[name] = _Later(name)
