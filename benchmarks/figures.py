"""From readings to the rows of the table: medians, rates, ratios and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median

OURS = "longshore"
"""The contender that the ratios are about."""

WALL = "wall"
PEAK = "peak memory"
CORE = "share of a core"
PAGE = "size of the page"
ADDED = "added by a task"
AGAIN = "the next task that reads it"
WHOLE = "the whole command"
PAID = "paid after the last task"
AIRFLOW = "a task of Airflow's that does nothing"
SHELL = "the run from the shell prompt"
THEIRS = "of which the processor time of moto"
ASKED = "requests while nothing happens"
WATCHES = "watches"
UNITS = {
    WALL: "s",
    AIRFLOW: "s",
    SHELL: "s",
    PEAK: "B",
    CORE: "%",
    PAGE: "B",
    ADDED: "s",
    AGAIN: "s",
    WHOLE: "s",
    PAID: "s",
    THEIRS: "s",
    ASKED: "",
    WATCHES: "",
}

Reading = Mapping[str, float]
"""What one contender showed in one round: quantity to value, in the quantity's unit."""


class Promise(Enum):
    """What the limit of a bar bounds."""

    RATIO = "our speed divided by the subject's, at least"
    RATE = "tasks or calls per second, at least"
    BELOW = "the quantity itself, in its unit, less than"
    EACH = "wall seconds divided by tasks, less than"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A figure that Longshore promises."""

    subject: str
    """The contender in whose row it stands."""
    promise: Promise
    limit: float
    quantity: str = WALL

    @property
    def text(self) -> str:
        """Give the promise in a few characters."""
        match self.promise:
            case Promise.RATIO:
                return f">= {self.limit:g}x"
            case Promise.RATE:
                return f">= {self.limit:,.0f}/s"
            case Promise.BELOW:
                return f"< {shown(self.limit, UNITS[self.quantity])}"
            case Promise.EACH:
                return f"< {self.limit * 1000:g} ms each"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Who took part in a scenario, with a reading for each round that was measured, or the reason why there is none."""

    name: str
    label: str
    readings: tuple[Reading | None, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; None where a column says nothing."""

    scenario: str
    contender: str
    label: str
    quantity: str
    unit: str
    value: float | None = None
    samples: tuple[float, ...] = ()
    rate: float | None = None
    ratio: float | None = None
    """Our speed divided by this one's, the median over the rounds."""
    bar: str | None = None
    met: bool | None = None
    reason: str = ""


def rows_of(scenario: str, tasks: int | None, contestants: Sequence[Contestant], bars: Sequence[Bar]) -> list[Row]:
    """Give the rows of one scenario, in the order of its contestants.

    A ratio compares only rounds in which both were measured, since rounds differ more than the tools' own runs do.
    """
    ours = next((contestant for contestant in contestants if contestant.name == OURS), None)
    rows: list[Row] = []
    for contestant in contestants:
        for quantity in _quantities(contestant, bars):
            values = _values(contestant, quantity)
            timed = quantity == WALL and tasks is not None and bool(values)
            row = Row(
                scenario=scenario,
                contender=contestant.name,
                label=contestant.label if quantity == WALL else f"{contestant.label}: {quantity}",
                quantity=quantity,
                unit=UNITS[quantity],
                value=median(values) if values else None,
                samples=tuple(values),
                rate=tasks / median(values) if timed and tasks is not None else None,
                ratio=ratio_of(ours, contestant) if quantity == WALL and ours is not None else None,
                reason=contestant.reason,
            )
            rows.append(_judged(row, tasks, [bar for bar in bars if bar.subject == contestant.name]))
    return rows


def ratio_of(ours: Contestant, theirs: Contestant) -> float | None:
    """Give our speed divided by theirs: the median over the rounds that both have; None for ourselves."""
    if theirs.name.startswith(OURS):
        return None
    both = [
        their[WALL] / our[WALL]
        for our, their in zip(ours.readings, theirs.readings, strict=False)
        if our is not None and their is not None and WALL in our and WALL in their
    ]
    return median(both) if both else None


def is_met(bar: Bar, row: Row, tasks: int | None) -> bool | None:
    """Say whether a row keeps a promise; None when it was not measured."""
    match bar.promise:
        case Promise.RATIO:
            return None if row.ratio is None else row.ratio >= bar.limit
        case Promise.RATE:
            return None if row.rate is None else row.rate >= bar.limit
        case Promise.BELOW:
            return None if row.value is None else row.value < bar.limit
        case Promise.EACH:
            return None if row.value is None or not tasks else row.value / tasks < bar.limit


def shown(value: float, unit: str) -> str:
    """Give a value with its unit, to three digits or so."""
    if unit == "B":
        return f"{value / 1e6:,.0f} MB"
    if unit == "%":
        return f"{value:.3g} %"
    return f"{value:,.1f} s" if value >= 100 else f"{value:.3g} s"


def _judged(row: Row, tasks: int | None, bars: Sequence[Bar]) -> Row:
    for bar in bars:
        if bar.quantity == row.quantity:
            return replace(row, bar=bar.text, met=is_met(bar, row, tasks))
    return row


def _quantities(contestant: Contestant, bars: Sequence[Bar]) -> list[str]:
    """Give what was read of a contestant; of one without readings, what was promised."""
    read = {quantity: None for reading in contestant.readings if reading for quantity in reading}
    promised = {bar.quantity: None for bar in bars if bar.subject == contestant.name}
    return list(read or promised) or [WALL]


def _values(contestant: Contestant, quantity: str) -> list[float]:
    return [reading[quantity] for reading in contestant.readings if reading is not None and quantity in reading]
