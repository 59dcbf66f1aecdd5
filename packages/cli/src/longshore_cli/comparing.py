"""How `runs diff` compares two runs: what ran again and why, and what that took and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from longshore.model.events import TasksIdentified
from longshore.runtime.attempt_rows import read_attempts
from longshore.runtime.history import RunReader
from longshore.runtime.options import RunOptions
from longshore.scheduler.state import TaskPhase
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json
from longshore_cli.report.figures import Figures, read_figures
from longshore_cli.text import clean, counted, duration, shorten, table

__all__ = ["Compared", "compare", "show_difference"]

_MOST_SHOWN = 50
_WIDEST_REASON = 80


@frozen(kw_only=True)
class _Side:
    """One task in one of the runs."""

    phase: str
    attempts: int
    seconds: float | None
    """How long all its attempts took; None when none began."""
    why: str
    """Why it ran or did not, as far as its run says."""

    @property
    def ran(self) -> bool:
        return self.attempts > 0

    @property
    def words(self) -> str:
        """Say how it went in one cell."""
        return self.phase if self.seconds is None else f"{self.phase}, {duration(timedelta(seconds=self.seconds))}"

    def document(self) -> dict[str, Any]:
        """Tell it to programs."""
        return {"phase": self.phase, "attempts": self.attempts, "seconds": self.seconds, "why": self.why}


@frozen(kw_only=True)
class _Run:
    """All that is compared of a run."""

    figures: Figures
    params: dict[str, str]
    tasks: dict[str, _Side] = field(repr=False)


@frozen(kw_only=True)
class Compared:
    """Two runs beside each other."""

    first: _Run
    second: _Run

    @property
    def seconds(self) -> float:
        """How much longer the second one took; negative when it was shorter."""
        return self.second.figures.total - self.first.figures.total

    @property
    def costs(self) -> dict[str, Decimal]:
        """How much more the second one cost, by currency."""
        sums: dict[str, Decimal] = {}
        for sign, run in ((-1, self.first), (1, self.second)):
            for cost in run.figures.costs:
                sums[cost.currency] = sums.get(cost.currency, Decimal(0)) + sign * cost.amount
        return sums

    @property
    def params(self) -> dict[str, tuple[str | None, str | None]]:
        """The parameters of the workflow that differ."""
        before, after = self.first.params, self.second.params
        names = dict.fromkeys((*before, *after))
        return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}

    def differing(self) -> Iterator[tuple[str, _Side | None, _Side | None]]:
        """Give the tasks that ran in the second run, or ended otherwise there, or are in one of the runs only."""
        for name in dict.fromkeys((*self.first.tasks, *self.second.tasks)):
            before, after = self.first.tasks.get(name), self.second.tasks.get(name)
            if before is None or after is None or after.ran or not _alike(before.phase, after.phase):
                yield name, before, after

    def reason(self, before: _Side | None, after: _Side | None) -> str:
        """Say why a task differs."""
        if after is None:
            return "it is in the first run only"
        return after.why or ("it is in the second run only" if before is None else "")


def compare(first: RunReader, second: RunReader) -> Compared:
    """Read two runs, live or over."""
    return Compared(first=_read(first), second=_read(second))


def show_difference(first: RunReader, second: RunReader, invocation: Invocation) -> None:
    """Show in what two runs differ."""
    compared = compare(first, second)
    rows = list(compared.differing())
    if invocation.json:
        answer_json(_document(compared, rows))
        return
    answer(table(list(_figures(compared)), ["", compared.first.figures.run, compared.second.figures.run, "DIFFERENCE"]))
    if rows and not invocation.quiet:
        shown = rows if invocation.verbosity > 0 else rows[:_MOST_SHOWN]
        answer("")
        answer(table([_row(compared, *row) for row in shown], ["TASK", "FIRST", "SECOND", "WHY"]))
        if len(rows) > len(shown):
            answer(f"and {counted(len(rows) - len(shown), 'more task')}; -v lists them all")
    alike = len(compared.first.tasks.keys() | compared.second.tasks.keys()) - len(rows)
    answer(f"{counted(len(rows), 'task')} ran again or ended otherwise, {alike:,} did not")


def _read(reader: RunReader) -> _Run:
    state = reader.replay()
    uncached = not RunOptions.from_json(reader.meta()["options"]).cache
    why: dict[str, str] = {}
    for _, event in reader.events(kind="TasksIdentified"):
        assert isinstance(event, TasksIdentified)
        for item in event.items:
            known = item.reason or ("the run was begun without the cache" if uncached else "it had never succeeded")
            why[item.task] = f"up to date since run {item.source}" if item.outputs is not None else known
    seconds: dict[str, float] = {}
    for attempt in read_attempts(reader):
        if attempt.seconds is not None:
            seconds[attempt.task] = seconds.get(attempt.task, 0.0) + attempt.seconds
    tasks = {
        name: _Side(
            phase=task.phase.value,
            attempts=task.attempts,
            seconds=seconds.get(name),
            why=why.get(name, ""),
        )
        for name, task in state.tasks.items()
    }
    return _Run(figures=read_figures(reader), params=dict(state.workflow.params), tasks=tasks)


def _alike(one: str, other: str) -> bool:
    done = {TaskPhase.SUCCEEDED.value, TaskPhase.UP_TO_DATE.value}
    return one == other or {one, other} <= done


def _figures(compared: Compared) -> Iterator[list[str]]:
    one, other = compared.first.figures, compared.second.figures
    yield ["state", one.state, other.state, ""]
    for name, (before, after) in compared.params.items():
        yield [f"parameter {name}", *(clean(value) if value is not None else "-" for value in (before, after)), ""]
    for name, before_count, after_count in (
        ("tasks that ran", _ran(compared.first), _ran(compared.second)),
        ("up to date", one.up_to_date, other.up_to_date),
        ("errors", one.errors, other.errors),
    ):
        yield [name, f"{before_count:,}", f"{after_count:,}", _signed(after_count - before_count)]
    for name, before_time, after_time in (
        ("time in all", one.total, other.total),
        ("time in series", one.series, other.series),
    ):
        times = [_seconds(before_time), _seconds(after_time)]
        yield [name, *times, _longer((after_time or 0.0) - (before_time or 0.0))]
    for currency, more in compared.costs.items():
        paid = [{cost.currency: cost.amount for cost in each.costs}.get(currency, Decimal(0)) for each in (one, other)]
        yield [f"cost in {currency}", *(f"{amount:.4f}" for amount in paid), f"{more:+.4f}"]


def _ran(run: _Run) -> int:
    return sum(side.ran for side in run.tasks.values())


def _seconds(value: float | None) -> str:
    return "-" if value is None else duration(timedelta(seconds=value))


def _longer(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '-'}{duration(timedelta(seconds=abs(seconds)))}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else ""


def _row(compared: Compared, name: str, before: _Side | None, after: _Side | None) -> list[str]:
    why = shorten(clean(compared.reason(before, after)), _WIDEST_REASON)
    return [name, before.words if before else "-", after.words if after else "-", why]


def _document(compared: Compared, rows: Sequence[tuple[str, _Side | None, _Side | None]]) -> dict[str, Any]:
    def side(run: _Run) -> dict[str, Any]:
        figures = run.figures
        return {
            "run": figures.run,
            "state": figures.state,
            "ran": _ran(run),
            "seconds": figures.total,
            "series": figures.series,
            "costs": [str(cost) for cost in figures.costs],
        }

    return {
        "first": side(compared.first),
        "second": side(compared.second),
        "seconds": compared.seconds,
        "costs": {currency: str(more) for currency, more in compared.costs.items()},
        "params": {name: list(values) for name, values in compared.params.items()},
        "tasks": [
            {
                "task": name,
                "first": before.document() if before else None,
                "second": after.document() if after else None,
                "why": compared.reason(before, after),
            }
            for name, before, after in rows
        ],
    }
