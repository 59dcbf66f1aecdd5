"""How a function is named in a workflow, and what `longshore.config.python` knows of it beyond that."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["FUNCTION", "CallWords"]

FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class CallWords(NamedTuple):
    """What `longshore.config.python` knows of a function beyond ``module:name``."""

    pickle: bytes = b""
    python: str = ""
    """Which Python has made the pickle."""
    source: str = ""
    """The file that its code stands in."""
    main: bool = False
    """It stands in the program itself, which no worker imports."""
