"""Options of the observer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen
from attrs.validators import matches_re, min_len

__all__ = ["OpenLineageConfig"]


def _web(_: object, attribute: Any, value: str) -> None:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError(f"{attribute.name} {value!r} is no address of the web; write it as in http://localhost:5000")


@frozen(kw_only=True)
class OpenLineageConfig:
    """Where events go, and under which name."""

    url: str = field(default="", validator=_web)
    """Who takes them; empty for what OpenLineage's own client is configured to, by its variables or its file."""
    endpoint: str = field(default="api/v1/lineage", validator=min_len(1))
    """The path below ``url``."""
    api_key_env: str = field(default="", validator=matches_re(r"([A-Za-z_][A-Za-z0-9_]*)?"))
    """The environment variable that has the key; empty for none."""
    namespace: str = field(default="longshore", validator=min_len(1))
    """Of all jobs, and of what tasks write."""
