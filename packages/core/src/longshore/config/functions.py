"""How a Python function gets to a worker: by its module's name for it or, when it has none, as a pickle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from longshore.config.call_words import FUNCTION, CallWords
from longshore.config.problems import wrong

__all__ = ["describe_function"]


def describe_function(function: Callable[..., Any]) -> tuple[str, CallWords]:
    """Give ``module:name`` and what else a call needs to know of a function.

    Raises:
        Mistakes: when it is no function, or can travel in no way.
    """
    if not callable(function):
        raise wrong(f"{function!r} cannot be called", "give the function itself, without brackets")
    module = getattr(function, "__module__", None) or "__main__"
    name = getattr(function, "__qualname__", type(function).__name__)
    main = module == "__main__"
    file = getattr(sys.modules.get(module), "__file__", None)
    source = str(file) if file else ""
    label = f"{module}:{name}"
    if not main and FUNCTION.fullmatch(label) and _found_again(module, name) is function:
        return label, CallWords(source=source)
    plain = f"{module.replace('-', '_')}:{name.replace('<', '').replace('>', '')}"
    version = ".".join(map(str, sys.version_info[:2]))
    words = CallWords(pickle=_pickled(function, label), python=version, source=source, main=main)
    return plain if FUNCTION.fullmatch(plain) else "pickled:function", words


def _found_again(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _pickled(function: Callable[..., Any], label: str) -> bytes:
    try:
        import cloudpickle  # noqa: PLC0415 - an extra that few need, and slow
    except ImportError:
        raise wrong(
            f"{label} is in no module that a worker could import, and cloudpickle is not installed",
            "put the function at the top of a module, or `pip install longshore-core[call]`",
        ) from None
    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:  # a function can hold anything, and refuse in any way
        remedy = "put it at the top of a module, with plain arguments"
        raise wrong(f"{label} cannot be sent to a worker: {error}", remedy) from error
