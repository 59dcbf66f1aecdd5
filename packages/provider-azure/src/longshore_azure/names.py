"""How things of ours are called in Azure, and how the ids of others are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from longshore.model.machine_spec import Tag

__all__ = ["FOR", "association", "group_of", "last", "machine_name"]

FOR = (Tag.OWNER, Tag.LEDGER, Tag.PROJECT)
"""Whom side resources are for."""
_GROUP = 4


def _digest(*words: str) -> str:
    """Give a short name that other words do not have."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:24]


def association(tags: Mapping[str, str]) -> str:
    """Name the side resources of an owner's project."""
    return f"longshore-{_digest(*(tags.get(tag, '') for tag in FOR))}"


def machine_name(tags: Mapping[str, str]) -> str:
    """Name the machines of a launch, but for their numbers."""
    return f"longshore-{_digest(*(tags.get(tag, '') for tag in (Tag.OWNER, Tag.LEDGER, Tag.TOKEN)))}"


def group_of(resource_id: str) -> str:
    """Give the resource group in an id, as ``/subscriptions/S/resourceGroups/GROUP/providers/...``. In small letters,
    since Azure takes any and gives back now these and now those.

    Raises:
        ValueError: when it is no such id.
    """
    parts = resource_id.split("/")
    if len(parts) <= _GROUP:
        raise ValueError(resource_id)
    return parts[_GROUP].lower()


def last(resource_id: str) -> str:
    """Give the name at the end of an id, in small letters."""
    return resource_id.rpartition("/")[2].lower()
