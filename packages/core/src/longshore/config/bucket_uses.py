"""What a workflow file wants of buckets, as far as it can be seen without working the workflow out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from longshore.config.files import DEFAULT_FILE, read_raw
from longshore.config.urls import is_link, is_url
from longshore.plugin.rights import BucketUse, Want

__all__ = ["bucket_uses"]

_WANTS = {"results_to": Want.WRITE, "store": Want.KEEP}
_TEXTS = frozenset({"command", "script", "env", "args", "kwargs"})
"""What stands there is the task's own business, with its own rights."""


def bucket_uses(folder: Path) -> tuple[BucketUse, ...]:
    """List what the ``longshore.toml`` of a folder names in buckets, each once; nothing when there is no such file.

    Raises:
        ConfigError: when it cannot be read.
    """
    file = folder / DEFAULT_FILE
    if not file.is_file():
        return ()
    raw, _ = read_raw(file)
    parts = {key: raw[key] for key in ("pools", "tasks") if key in raw}
    return tuple(dict.fromkeys(_uses("", parts)))


def _uses(key: str, value: Any) -> Iterator[BucketUse]:
    if isinstance(value, str) and is_url(value) and not is_link(value):
        yield BucketUse(url=value.rstrip("/"), want=_WANTS.get(key, Want.READ))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in _TEXTS:
                yield from _uses(name, item)
    elif isinstance(value, list):
        for item in value:
            yield from _uses(key, item)
