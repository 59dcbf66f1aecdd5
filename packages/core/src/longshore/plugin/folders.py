"""Where a user's own state lies on this computer, for the core and for plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_folder"]


def state_folder(environ: Mapping[str, str]) -> Path:
    """Say where that is: ``$XDG_STATE_HOME/longshore``, else ``~/.local/state/longshore``. Nothing is made."""
    state = environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    if os.path.isabs(state):
        return Path(state) / "longshore"
    return Path(environ.get("HOME") or "~").expanduser() / ".local" / "state" / "longshore"
