"""The table of figures as people read it: one column for each run and, of several, their mean and deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from attrs import frozen

from longshore.model.quantity import Money
from longshore_cli.report.figures import Figures, mean_and_deviation
from longshore_cli.text import clean, duration, shorten, table

__all__ = ["SummaryTable", "figures_document", "money", "summary_table"]

_LONGEST_NAME = 40


@frozen(kw_only=True)
class SummaryTable:
    """Cells as they are shown."""

    headings: tuple[str, ...]
    """Empty for a single run."""
    rows: tuple[tuple[str, ...], ...]
    """The name of a figure, then its values."""

    def lines(self) -> list[str]:
        """Lay the table out for a terminal."""
        if not self.headings:
            return table(self.rows).splitlines()
        return table(self.rows, self.headings, right=range(1, len(self.headings))).splitlines()


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _time(value: float | None) -> str:
    return "-" if value is None else duration(timedelta(seconds=value))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


_ROWS: tuple[tuple[str, str, Callable[[float | None], str]], ...] = (
    ("tasks", "tasks", _count),
    ("succeeded", "succeeded", _count),
    ("up to date", "up_to_date", _count),
    ("errors", "errors", _count),
    ("unfinished", "unfinished", _count),
    ("attempts", "attempts", _count),
    ("mean time of a task", "mean", _time),
    ("shortest task", "shortest", _time),
    ("longest task", "longest", _time),
    ("time in parallel", "parallel", _time),
    ("estimate in series", "series", _time),
    ("efficiency", "efficiency", _percent),
    ("set-up time", "setup", _time),
    ("time in all", "total", _time),
    ("nodes", "nodes", _count),
    ("workers", "workers", _count),
)
_NAMED = {"shortest", "longest"}


def summary_table(runs: Sequence[Figures]) -> SummaryTable:
    """Write the figures of one run, or of several beside each other."""
    columns = [run.numbers() for run in runs]
    headings: tuple[str, ...] = ()
    if len(runs) > 1:
        columns += mean_and_deviation(runs)
        headings = ("", *(str(number) for number in range(1, len(runs) + 1)), "mean", "deviation")
    rows: list[tuple[str, ...]] = []
    for title, name, show in _ROWS:
        rows.append((title, *(show(column[name]) for column in columns)))
        if name in _NAMED:
            names = [run.shortest_task if name == "shortest" else run.longest_task for run in runs]
            if len(runs) == 1:
                rows[-1] = (title, f"{rows[-1][1]}  {_name(names[0])}".rstrip())
            else:
                rows.append(("", *map(_name, names), *([""] * 2)))
    if any(run.costs for run in runs):
        rows.append(("cost", *(_costs(run) for run in runs), *([""] * (len(columns) - len(runs)))))
    return SummaryTable(headings=headings, rows=tuple(rows))


def _name(task: str) -> str:
    return shorten(clean(task), _LONGEST_NAME)


def _costs(run: Figures) -> str:
    return ", ".join(map(money, run.costs)) or "-"


def money(amount: Money) -> str:
    """Show an amount to two places or, when it is small, to two figures that say something."""
    places = Decimal("0.01")
    while amount.amount and amount.amount < places * 10 and places > Decimal("0.000001"):
        places /= 10
    if 0 < amount.amount < places:
        return f"less than {places:f} {amount.currency}"
    return f"{amount.amount.quantize(places, ROUND_HALF_UP):f} {amount.currency}"


def figures_document(runs: Sequence[Figures]) -> dict[str, Any]:
    """Tell figures to programs: seconds, and an efficiency of 1 for all of the workers' time."""
    columns = [
        {
            "run": run.run,
            "state": run.state,
            **run.numbers(),
            "shortest_task": run.shortest_task,
            "longest_task": run.longest_task,
            "costs": [str(cost) for cost in run.costs],
        }
        for run in runs
    ]
    if len(runs) == 1:
        return {"runs": columns}
    means, deviations = mean_and_deviation(runs)
    return {"runs": columns, "mean": means, "deviation": deviations}
