"""How a Python function gets to a worker: by the name that its module has for it, or, when there is none, as a pickle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from longshore.config.problems import wrong
from longshore.config.sections import FUNCTION, CallWords

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
    file = getattr(sys.modules.get(module), "__file__", None)
    sources = (file,) if file and module != "__main__" else ()
    label = f"{module}:{name}"
    if module != "__main__" and FUNCTION.fullmatch(label) and _found_again(module, name) is function:
        return label, CallWords(sources=sources)
    plain = f"{module.replace('-', '_')}:{name.replace('<', '').replace('>', '')}"
    return plain if FUNCTION.fullmatch(plain) else "pickled:function", CallWords(_pickled(function, label), sources or _main_imports(file))


def _main_imports(file: str | None) -> tuple[str, ...]:
    return ()


def _found_again(module: str, name: str) -> object:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _pickled(function: Callable[..., Any], label: str) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        raise wrong(
            f"{label} is in no module that a worker could import, and cloudpickle is not installed",
            "put the function at the top of a module, or `pip install longshore-core[call]`",
        ) from None
    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as error:  # a function can hold anything, and refuse in any way
        raise wrong(f"{label} cannot be sent to a worker: {error}", "put it at the top of a module, with plain arguments") from error
