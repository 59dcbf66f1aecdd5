"""When something may be up: days of the week, from one time of day to another, in a place's time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from attrs import field, frozen
from attrs.validators import min_len

__all__ = ["Hours", "parse_hours"]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = len(_DAYS)
_EXAMPLES = 'write it as in "Mon-Fri 08-18 Europe/Paris", "Sat,Sun 00-24 UTC" or "daily 22:30-06:00 America/New_York"'
_HOURS = re.compile(r"(\S+)\s+(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?\s+(\S+)")
_DAY_MINUTES = 24 * 60


@frozen(kw_only=True)
class Hours:
    """Open from ``begin`` to ``end`` on some days; an end that is not after the begin is on the next day."""

    days: frozenset[int] = field(validator=min_len(1))
    """0 is Monday."""
    begin: int
    """In minutes after midnight."""
    end: int
    zone: str
    """A name of the IANA time zone database."""

    def is_open(self, at: datetime) -> bool:
        """Say whether a moment lies within."""
        return any(begin <= at < end for begin, end in self._spans(at))

    def next_change(self, at: datetime) -> datetime | None:
        """Say when it opens or closes next; None when it is always open."""
        edges = sorted(
            edge
            for span in self._spans(at)
            for edge in span
            if edge > at and self.is_open(edge) != self.is_open(edge - timedelta(microseconds=1))
        )
        return edges[0] if edges else None

    def __str__(self) -> str:
        days = ",".join(_DAYS[day].capitalize() for day in sorted(self.days))
        return f"{days} {_clock(self.begin)}-{_clock(self.end)} {self.zone}"

    def _spans(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Give what is open around a moment: from the day before to a week and a day later."""
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - 11 ms that all without such hours save

        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for offset in range(-1, _WEEK + 2):
            day = today + timedelta(days=offset)
            if day.weekday() in self.days:
                closes = self.end if self.end > self.begin else self.end + _DAY_MINUTES
                yield _moment(day, self.begin, zone), _moment(day, closes, zone)


def parse_hours(value: object) -> Hours:
    """Read hours.

    Raises:
        ValueError: when they are none, with examples of what is.
    """
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} says not which days, hours and time zone; {_EXAMPLES}")
    days, begin_hour, begin_minute, end_hour, end_minute, zone = found.groups()
    begin, end = _minutes(begin_hour, begin_minute), _minutes(end_hour, end_minute)
    if begin is None or end is None or begin == _DAY_MINUTES:
        raise ValueError(f"{value!r} has a time of day that there is not; {_EXAMPLES}")
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - as above

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone!r} is no time zone that this computer knows; {_EXAMPLES}") from None
    return Hours(days=_read_days(days), begin=begin, end=end, zone=zone)


def _read_days(text: str) -> frozenset[int]:
    if text.casefold() == "daily":
        return frozenset(range(_WEEK))
    days: set[int] = set()
    for part in text.casefold().split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError(f"{part!r} is no day of the week; {_EXAMPLES}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update(day % _WEEK for day in range(begin, end + 1 if end >= begin else end + _WEEK + 1))
    return frozenset(days)


def _minutes(hour: str, minute: str | None) -> int | None:
    total = int(hour) * 60 + int(minute or 0)
    return total if total <= _DAY_MINUTES and int(minute or 0) < 60 else None


def _moment(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Give a time of a day in a place. Where clocks are put forward over it, the moment after."""
    midnight = datetime.combine(day, time(), zone)
    return (midnight + timedelta(minutes=minutes)).astimezone(UTC)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
