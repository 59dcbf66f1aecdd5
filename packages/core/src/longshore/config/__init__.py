"""What the user wrote: from TOML, JSON or Python to one frozen value, all mistakes at once, each with its place."""

from __future__ import annotations

from longshore.config.load import DEFAULT_FILE, Loaded, load

__all__ = ["DEFAULT_FILE", "Loaded", "load"]
