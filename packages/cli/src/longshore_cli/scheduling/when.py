"""When something is to be done, in words that people write, and in those of systemd and of cron. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import field, frozen

__all__ = ["When", "parse_when"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EVERY = re.compile(r"every\s+(\d+)\s*(min|h)", re.IGNORECASE)
_AT = re.compile(r"(?:(?P<days>[a-z,\-]+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})", re.IGNORECASE)
_BOOT = re.compile(r"at\s+boot", re.IGNORECASE)
_EXAMPLES = "write it as in '02:30', 'Mon-Fri 18:00', 'Sat,Sun 09:15', 'every 15 min', 'every 2 h' or 'at boot'"


@frozen(kw_only=True)
class When:
    """Some minutes of some hours of some days of the week, in the local time of this computer; or when it starts."""

    text: str = field(eq=False)
    """As it was written."""
    days: tuple[int, ...] = tuple(range(7))
    """0 is Monday."""
    hours: tuple[int, ...] = tuple(range(24))
    minutes: tuple[int, ...] = (0,)
    at_boot: bool = False
    """Each time that this computer has started, and at no other."""

    def systemd(self) -> str:
        """Write it as a line of a timer of systemd's."""
        return "OnStartupSec=5" if self.at_boot else f"OnCalendar={self.calendar()}"

    def calendar(self) -> str:
        """Write it for systemd's ``OnCalendar``."""
        days = "" if len(self.days) == len(_DAYS) else ",".join(_DAYS[day] for day in self.days) + " "
        hours = "*" if len(self.hours) == 24 else ",".join(f"{hour:02}" for hour in self.hours)
        return f"{days}*-*-* {hours}:{','.join(f'{minute:02}' for minute in self.minutes)}:00"

    def cron(self) -> str:
        """Write it as the five fields of a crontab, or the word for them."""
        if self.at_boot:
            return "@reboot"
        days = "*" if len(self.days) == len(_DAYS) else ",".join(str(day) for day in sorted(_cron_days(self.days)))
        hours = "*" if len(self.hours) == 24 else ",".join(map(str, self.hours))
        return f"{','.join(map(str, self.minutes))} {hours} * * {days}"

    def after(self, moment: datetime) -> datetime | None:
        """Give the next time that comes after a moment, in that moment's time zone, by the clock on the wall there;
        None when nobody can tell.
        """
        if self.at_boot:
            return None
        here = moment.tzinfo
        wall = moment.replace(tzinfo=None)
        return next(each for each in self._from(wall) if each > wall).replace(tzinfo=here)

    def _from(self, wall: datetime) -> Iterator[datetime]:
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        for ahead in range(len(_DAYS) + 1):
            day = midnight + timedelta(days=ahead)
            if day.weekday() in self.days:
                yield from (day.replace(hour=hour, minute=minute) for hour in self.hours for minute in self.minutes)


def _cron_days(days: tuple[int, ...]) -> Iterator[int]:
    return ((day + 1) % len(_DAYS) for day in days)


def parse_when(text: str) -> When:
    """Read a time.

    Raises:
        ValueError: says what is wrong, and how it is written.
    """
    words = text.strip()
    if _BOOT.fullmatch(words):
        return When(text=words, at_boot=True)
    every = _EVERY.fullmatch(words)
    if every is not None:
        return _every(text, int(every[1]), every[2].lower())
    at = _AT.fullmatch(words)
    if at is None:
        raise ValueError(f"{text!r} is no time; {_EXAMPLES}")
    hour, minute = int(at["hour"]), int(at["minute"])
    if hour > 23 or minute > 59:
        raise ValueError(f"there is no {hour}:{minute:02} in a day; {_EXAMPLES}")
    days = _days(text, at["days"]) if at["days"] else tuple(range(len(_DAYS)))
    return When(text=words, days=days, hours=(hour,), minutes=(minute,))


def _every(text: str, number: int, unit: str) -> When:
    whole = 60 if unit == "min" else 24
    if number < 1 or whole % number:
        fitting = ", ".join(str(each) for each in range(1, whole // 2 + 1) if whole % each == 0)
        raise ValueError(f"{text!r} does not go evenly into {'an hour' if unit == 'min' else 'a day'}; use {fitting}")
    steps = tuple(range(0, whole, number))
    return When(text=text.strip(), minutes=steps) if unit == "min" else When(text=text.strip(), hours=steps)


def _days(text: str, words: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in words.split(","):
        ends = [_day(text, name) for name in part.split("-")]
        if len(ends) > 2:
            raise ValueError(f"{part!r} in {text!r} are no days; {_EXAMPLES}")
        first, last = ends[0], ends[-1]
        found.update((first + step) % len(_DAYS) for step in range((last - first) % len(_DAYS) + 1))
    return tuple(sorted(found))


def _day(text: str, name: str) -> int:
    for number, day in enumerate(_DAYS):
        if name.lower() == day.lower():
            return number
    raise ValueError(f"{name!r} in {text!r} is no day; use {', '.join(_DAYS)}")
