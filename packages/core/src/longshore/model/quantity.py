"""Sizes, durations and money, as people write and read them.

Sizes: ``B``; ``kB MB GB TB PB`` count in thousands; ``KiB MiB GiB TiB PiB`` in 1024s, and so do the short forms
``Ki Mi Gi`` (as in Kubernetes) and ``K M G`` (as in Slurm, Java's ``-Xmx`` and ``ls -h``: a task gets what it asks for
or a little more, never less). Capitals do not matter.

Durations: ``ms s min h d w`` and their longer words, several in falling order (``1 h 30 min``), or ISO 8601 without
years and months (``PT1H30M``). ``m`` is minutes. A number without a unit is refused, since some tools mean seconds by
it and others minutes.

Money: an amount and a currency's three letters (``5 USD``).
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from attrs import field, frozen
from attrs.validators import matches_re

__all__ = ["Money", "format_duration", "format_size", "parse_duration", "parse_money", "parse_size"]

_SIZE_EXAMPLES = 'write it as in "500 MB", "16 GiB" or "16G", or as a number of bytes'
_DURATION_EXAMPLES = 'write it as in "30 s", "5 min", "1 h 30 min", "2 d" or "PT2H"'
_MONEY_EXAMPLES = 'write it as in "5 USD" or "0.50 EUR"'

_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,20})?"
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)")
_DURATION_PART = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]+)")
_ISO_DURATION = re.compile(
    rf"P(?=.)(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?=.)(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?",
    re.IGNORECASE,
)
_MONEY = re.compile(rf"({_NUMBER})\s*([A-Za-z]{{3}})")

_LARGEST_SIZE = 2**63 - 1  # what SQLite, and every file system, can hold
_SIZE_UNITS = {"": 1, "b": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgtp", start=1)
    for suffix, base in (("b", 1000), ("ib", 1024), ("i", 1024), ("", 1024))
}
_SHOWN_SIZES = (("PiB", 1024**5), ("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))

_MICROSECONDS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "min": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
}
_LARGEST_SHOWN = {"min": 60, "h": 24}
_DURATION_WORDS = {
    "w": ("w", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "min": ("min", "mins", "m", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
}
_DURATION_UNITS = {word: _MICROSECONDS[unit] for unit, words in _DURATION_WORDS.items() for word in words}


@frozen(kw_only=True)
class Money:
    """An amount of one currency."""

    amount: Decimal = field()
    currency: str = field(validator=matches_re(r"[A-Z]{3}"))

    @amount.validator
    def _check_amount(self, _: object, amount: Decimal) -> None:
        if not amount.is_finite() or amount < 0:
            raise ValueError(f"the amount {amount} is not a finite number from zero up")

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def parse_size(value: object) -> int:
    """Read a number of bytes; parts of a byte are rounded up.

    Raises:
        ValueError: when it is no size, with examples of what is.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"{value!r} is no size; {_SIZE_EXAMPLES}")
        factor = _SIZE_UNITS.get(found[2].lower())
        if factor is None:
            raise ValueError(f"{value!r} has the unknown unit {found[2]!r}; {_SIZE_EXAMPLES}")
        size = -(-Fraction(found[1]) * factor // 1)
    if not 0 <= size <= _LARGEST_SIZE:
        raise ValueError(
            f"{value!r} is {'less than nothing' if size < 0 else 'more than any computer has'}; {_SIZE_EXAMPLES}"
        )
    return size


def format_size(size_bytes: int) -> str:
    """Show a number of bytes to people, to three figures or so, in a form that `parse_size` reads."""
    for unit, factor in _SHOWN_SIZES:
        if size_bytes >= factor - factor // 2048:  # else "1024 KiB" would be shown
            return f"{_figures(size_bytes / factor)} {unit}"
    return f"{size_bytes} B"


def parse_duration(value: object) -> timedelta:
    """Read a length of time; it is exact to the microsecond.

    Raises:
        ValueError: when it is none, with examples of what is.
    """
    text = value.strip() if isinstance(value, str) else str(value)
    iso = _ISO_DURATION.fullmatch(text)
    if iso is not None:
        amounts = zip(iso.groups(), _MICROSECONDS.values(), strict=False)
        return _duration(value, sum((Fraction(amount) * unit for amount, unit in amounts if amount), Fraction()))
    if not text:
        raise ValueError(f"{value!r} is no duration; {_DURATION_EXAMPLES}")
    total, last, position = Fraction(), max(_MICROSECONDS.values()) + 1, 0
    while position < len(text):
        found = _DURATION_PART.match(text, position)
        if found is None:
            reason = "has no unit" if re.fullmatch(_NUMBER, text) else "is no duration"
            raise ValueError(f"{value!r} {reason}; {_DURATION_EXAMPLES}")
        unit = _DURATION_UNITS.get(found[2].lower())
        if unit is None:
            raise ValueError(f"{value!r} has the unknown unit {found[2]!r}; {_DURATION_EXAMPLES}")
        if unit >= last:
            raise ValueError(
                f"{value!r} names its units twice or not from the largest to the smallest; {_DURATION_EXAMPLES}"
            )
        total, last, position = total + Fraction(found[1]) * unit, unit, found.end()
    return _duration(value, total)


def _duration(value: object, microseconds: Fraction) -> timedelta:
    try:
        return timedelta(microseconds=round(microseconds))
    except OverflowError:
        raise ValueError(f"{value!r} is longer than a million years; {_DURATION_EXAMPLES}") from None


def format_duration(duration: timedelta) -> str:
    """Show a length of time to people, by its two largest units.

    `parse_duration` reads it, unless it is negative.
    """
    if duration < timedelta():
        return f"-{format_duration(-duration)}"
    microseconds = duration // timedelta(microseconds=1)
    if microseconds < _MICROSECONDS["s"] - _MICROSECONDS["ms"] / 2:
        return f"{_figures(microseconds / _MICROSECONDS['ms'])} ms" if microseconds else "0 s"
    if microseconds < 59_950_000:  # from here on "60 s" would be shown
        return f"{_figures(microseconds / _MICROSECONDS['s'])} s"
    for large, small in (("min", "s"), ("h", "min"), ("d", "h")):
        per_large = _MICROSECONDS[large] // _MICROSECONDS[small]
        whole, rest = divmod(round(Fraction(microseconds, _MICROSECONDS[small])), per_large)
        if large == "d" or whole < _LARGEST_SHOWN[large]:
            return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
    raise AssertionError("the last unit shows everything")  # pragma: no cover


def _figures(amount: float) -> str:
    """Show a number with three figures, without a fraction that says nothing."""
    digits = 0 if amount >= 99.95 else 1 if amount >= 9.995 else 2
    text = f"{amount:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def parse_money(value: object) -> Money:
    """Read an amount of money.

    Raises:
        ValueError: when it is none, with examples of what is.
    """
    found = _MONEY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no amount of money; {_MONEY_EXAMPLES}")
    return Money(amount=Decimal(found[1]), currency=found[2].upper())
