"""Where a user's own state, and what can be had again, lie on this computer, for the core and for plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_folder", "state_folder"]


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Say where caches lie: ``$XDG_CACHE_HOME/longshore``, else ``~/.cache/longshore``. Nothing is made."""
    return _below(environ, "XDG_CACHE_HOME", ".cache")


def state_folder(environ: Mapping[str, str]) -> Path:
    """Say where state lies: ``$XDG_STATE_HOME/longshore``, else ``~/.local/state/longshore``. Nothing is made."""
    return _below(environ, "XDG_STATE_HOME", ".local/state")


def _below(environ: Mapping[str, str], variable: str, at_home: str) -> Path:
    base = environ.get(variable, "")
    # The XDG specification has relative paths ignored.
    if os.path.isabs(base):
        return Path(base) / "longshore"
    return Path(environ.get("HOME") or "~").expanduser() / at_home / "longshore"
