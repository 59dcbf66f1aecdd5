"""How our tags are kept on machines: whole in the metadata, and as labels where Google takes them as such."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

from longshore.plugin.labels import as_label

__all__ = ["TAGS_ITEM", "digest", "label_value", "labels", "read_tags", "write_tags"]

TAGS_ITEM = "longshore-tags"
"""The item of the metadata that has all tags."""
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LONGEST = 63


def digest(*words: str) -> str:
    """Give a short name that other words do not have."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:24]


def label_value(value: str) -> str:
    """Write a value as a label, by which machines are found; what is too long has a short name in its place."""
    label = as_label(value)
    return label if len(label) <= _LONGEST else f"sha256-{digest(value)}"


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Give the labels for tags; one whose key can be none is in the metadata alone."""
    keyed = {as_label(key): label_value(value) for key, value in sorted(tags.items())}
    return {key: value for key, value in keyed.items() if _KEY.fullmatch(key)}


def write_tags(tags: Mapping[str, str]) -> str:
    """Write all tags in one order: equal tags give equal requests."""
    return json.dumps(tags, sort_keys=True)


def read_tags(texts: Iterable[str]) -> dict[str, str]:
    """Read what `write_tags` has written, from the first of the texts; nothing from what nobody of ours has written."""
    try:
        tags = json.loads(next(iter(texts), "{}"))
    except ValueError:
        return {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        return {}
    return tags
