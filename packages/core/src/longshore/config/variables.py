"""``$name`` and ``${name}`` in texts that no shell reads."""

from __future__ import annotations

import re

__all__ = ["VARIABLE", "variables_in"]

VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


def variables_in(text: str) -> set[str]:
    """Name the variables in a text."""
    return {found[1] or found[2] for found in VARIABLE.finditer(text)} if "$" in text else set()
