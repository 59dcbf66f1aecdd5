"""Moments: always aware, always UTC when written down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["aware", "read_time", "write_time"]

_FORMAT = "%Y%m%dt%H%M%Sz"
"""Small letters, digits and nothing else: the most that every cloud takes as the value of a tag."""


def aware(_: object, attribute: object, value: Any) -> None:
    """Check a field of an attrs class that holds a moment.

    Raises:
        ValueError: when it has no time zone.
    """
    if value is not None and value.tzinfo is None:
        name = getattr(attribute, "name", "the moment")
        raise ValueError(f"{name} is {value.isoformat()} without a time zone; give it in UTC")


def write_time(moment: datetime) -> str:
    """Write a moment as the value of a tag, to the second: ``20260131t120000z``."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def read_time(text: str) -> datetime | None:
    """Read what `write_time` wrote; None for anything else."""
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
