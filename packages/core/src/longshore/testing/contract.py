"""What all contracts share: a law is a test, and nobody puts another in its place without a word."""

from __future__ import annotations

from typing import Any

__all__ = ["Contract"]


class Contract:
    """A suite to subclass in a plugin's tests: a class named ``Test...`` that gives the one fixture it asks for.

    Each test is one law; its id is in its name and its docstring says it. A subclass that has to put a test of its own
    in the place of a law marks it with ``pytest.mark.xfail(reason=...)``; otherwise it cannot even be collected.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            overrides = name.startswith("test_") and any(hasattr(base, name) for base in cls.__bases__)
            if overrides and not _has_reason(value):
                raise TypeError(
                    f"{cls.__name__}.{name} takes the place of a law without saying why; "
                    "remove it, or mark it with pytest.mark.xfail(reason=...)"
                )


def _has_reason(test: Any) -> bool:
    marks = getattr(test, "pytestmark", ())
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
