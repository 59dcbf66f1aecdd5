"""The figures of a run, and of several runs of the same workflow. Pure functions on what `read_figures` has read."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from attrs import frozen

from longshore.model.quantity import Money
from longshore.runtime.attempt_rows import AttemptRow, RestRow, read_attempts, read_rests
from longshore.runtime.fleet_rows import LeaseRow, read_leases
from longshore.runtime.history import RunInfo, RunReader

__all__ = ["Figures", "add_up", "figure", "last_known", "mean_and_deviation", "read_figures"]

_ERRORS = ("failed", "lost")
_DONE = ("succeeded", "up to date", "failed", "lost", "cancelled", "skipped")


@frozen(kw_only=True)
class Figures:
    """What a run came to. Times are seconds; None where nothing has run that could be measured.

    A task's time is that of the attempt by which it succeeded.
    """

    run: str
    state: str
    tasks: int
    succeeded: int
    """Those that ran and succeeded."""
    up_to_date: int
    errors: int
    """Tasks that failed or were lost."""
    unfinished: int
    """Tasks that have neither succeeded nor failed, nor were cancelled or skipped."""
    attempts: int
    mean: float | None
    shortest: float | None
    shortest_task: str
    longest: float | None
    longest_task: str
    parallel: float | None
    """From the first command's begin to the last one's end, without times in which nobody controlled the run."""
    series: float | None
    """How long all tasks would take one after another: the sum of their times."""
    workers: int
    """The most attempts that ran at one moment."""
    nodes: int
    """How many machines ran attempts."""
    setup: float | None
    """From the beginning of the run to the first command: looking at inputs, renting, booting, building."""
    total: float
    """From the beginning of the run to its end, or to the last that is known, without times as above."""
    costs: tuple[Money, ...] = ()
    """What was rented, one sum for each currency."""

    @property
    def efficiency(self) -> float | None:
        """The part of the workers' time that went into tasks which succeeded; 1.0 is all of it."""
        if self.series is None or not self.parallel or not self.workers:
            return None
        return self.series / (self.parallel * self.workers)

    def numbers(self) -> Mapping[str, float | None]:
        """Give every figure that is a number, by name."""
        return {
            "tasks": self.tasks,
            "succeeded": self.succeeded,
            "up_to_date": self.up_to_date,
            "errors": self.errors,
            "unfinished": self.unfinished,
            "attempts": self.attempts,
            "mean": self.mean,
            "shortest": self.shortest,
            "longest": self.longest,
            "parallel": self.parallel,
            "series": self.series,
            "efficiency": self.efficiency,
            "setup": self.setup,
            "total": self.total,
            "nodes": self.nodes,
            "workers": self.workers,
        }


def read_figures(reader: RunReader) -> Figures:
    """Read the figures of a run, live or over."""
    return figure(reader.info(), read_attempts(reader), read_rests(reader), read_leases(reader))


def figure(
    info: RunInfo, attempts: Sequence[AttemptRow], rests: Sequence[RestRow], leases: Sequence[LeaseRow]
) -> Figures:
    """Work the figures of a run out of its rows."""
    began = info.started.timestamp()
    ran = [each for each in attempts if each.started is not None and each.ended is not None]
    times = {each.task: each.seconds for each in ran if each.succeeded and each.seconds is not None}
    shortest = min(times, key=times.__getitem__, default="")
    longest = max(times, key=times.__getitem__, default="")
    first = min((each.started for each in attempts if each.started is not None), default=None)
    last = max((each.ended for each in ran if each.ended is not None), default=None)
    end = last_known(info, attempts)
    idle = _idle(rests, ran)
    return Figures(
        run=info.id,
        state=info.state,
        tasks=info.tasks,
        succeeded=info.phases.get("succeeded", 0),
        up_to_date=info.phases.get("up to date", 0),
        errors=sum(info.phases.get(phase, 0) for phase in _ERRORS),
        unfinished=info.tasks - sum(info.phases.get(phase, 0) for phase in _DONE),
        attempts=len(attempts),
        mean=sum(times.values()) / len(times) if times else None,
        shortest=times.get(shortest),
        shortest_task=shortest,
        longest=times.get(longest),
        longest_task=longest,
        parallel=None if first is None or last is None else last - first - _within(idle, first, last),
        series=sum(times.values()) if times else None,
        workers=_most_at_once(ran),
        nodes=len({each.machine for each in attempts if each.started is not None}),
        setup=None if first is None else first - began - _within(idle, began, first),
        total=end - began - _within(idle, began, end),
        costs=add_up(lease.cost for lease in leases),
    )


def last_known(info: RunInfo, attempts: Iterable[AttemptRow]) -> float:
    """Say when a run ended or, of one that has not, the last that is known of it."""
    if info.ended is not None:
        return info.ended.timestamp()
    return max([info.started.timestamp(), *(each.heard or each.started or each.intended for each in attempts)])


def add_up(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    """Add what is known, by currency."""
    sums: dict[str, Decimal] = {}
    for each in amounts:
        if each is not None:
            sums[each.currency] = sums.get(each.currency, Decimal(0)) + each.amount
    return tuple(Money(amount=amount, currency=currency) for currency, amount in sorted(sums.items()))


def _idle(rests: Sequence[RestRow], ran: Sequence[AttemptRow]) -> list[tuple[float, float]]:
    """Say when a run was at rest: nobody controlled it, and nothing that was left running still ran."""
    found = []
    for rest in rests:
        living = [each.ended for each in ran if each.started and each.ended and each.started < rest.ended]
        begun = max([rest.begun, *(min(ended, rest.ended) for ended in living)])
        if begun < rest.ended:
            found.append((begun, rest.ended))
    return found


def _within(spans: Iterable[tuple[float, float]], first: float, last: float) -> float:
    return sum(max(0.0, min(end, last) - max(begin, first)) for begin, end in spans)


def _most_at_once(ran: Sequence[AttemptRow]) -> int:
    # An end comes before a begin of the same moment: then one has made room for the other.
    edges = [(each.ended, -1) for each in ran] + [(each.started, 1) for each in ran]
    most = now = 0
    for _, step in sorted(edges, key=lambda edge: (edge[0] or 0.0, edge[1])):
        now += step
        most = max(most, now)
    return most


def mean_and_deviation(runs: Sequence[Figures]) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Give the mean and the sample's standard deviation of every figure; None where a run does not have it."""
    columns = {name: [each.numbers()[name] for each in runs] for name in runs[0].numbers()}
    means: dict[str, float | None] = {}
    deviations: dict[str, float | None] = {}
    for name, column in columns.items():
        values = [value for value in column if value is not None]
        whole = len(values) == len(column)
        means[name] = statistics.fmean(values) if whole else None
        deviations[name] = statistics.stdev(values) if whole and len(values) > 1 else None
    return means, deviations
