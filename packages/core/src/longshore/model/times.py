"""Moments: always aware, always UTC when written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["aware", "over_by", "read_time", "write_time"]

_FORMAT = "%Y%m%dt%H%M%Sz"
"""Small letters, digits and nothing else: the most that every cloud takes as the value of a tag."""


_LATE = timedelta(minutes=1)
"""What was said last may arrive so late: it waits in buffers while a network is down."""


def aware(_: object, attribute: object, value: Any) -> None:
    """Check a field of an attrs class that holds a moment.

    Raises:
        ValueError: when it has no time zone.
    """
    if value is not None and value.tzinfo is None:
        name = getattr(attribute, "name", "the moment")
        raise ValueError(f"{name} is {value.isoformat()} without a time zone; give it in UTC")


def over_by(parted: datetime, unattended: timedelta) -> datetime:
    """Say when a machine ends by itself what it was given, when nothing was said to it after ``parted`` and it waits
    for somebody to attend for ``unattended``.
    """
    return parted + unattended + min(unattended, _LATE)


def write_time(moment: datetime) -> str:
    """Write a moment as the value of a tag, to the second: ``20260131t120000z``."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def read_time(text: str) -> datetime | None:
    """Read what `write_time` wrote; None for anything else."""
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
