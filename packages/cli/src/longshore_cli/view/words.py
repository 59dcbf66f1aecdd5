"""What has happened, in one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from types import MappingProxyType
from typing import Any

from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    AttemptStarted,
    CancelAsked,
    Event,
    InputsFailed,
    MachineAdded,
    MachineGone,
    MachineResized,
    MembersMade,
    ResultsDelivered,
    RetryAsked,
    RunContinued,
    RunEnded,
    StopAsked,
    TableMade,
    TasksAdded,
    TasksIdentified,
)
from longshore.model.outcome import Cancelled, Exited, Outcome, describe_outcome
from longshore_cli.text import clean, counted, duration, moment
from longshore_cli.view.line import Line, Rank

__all__ = ["Again", "Line", "Rank", "failure_words", "lines_of"]


_Words = Callable[[Any], Iterable[Line]]
Again = Callable[[str], bool]
"""Says of a task one of whose attempts has failed whether it is tried again."""


def lines_of(event: Event, again: Again) -> Iterable[Line]:
    """Say an event in words; nothing for those that say nothing to a user."""
    if isinstance(event, AttemptEnded):
        return (_end_of(event, again),)
    kind = type(event)
    if kind in _SILENT:
        return ()
    words = _WORDS.get(kind) or _away_words(kind)
    return words(event) if words is not None else ()


def _away_words(kind: type) -> _Words | None:
    # Few runs have such events, and all wait for imports.
    from longshore_cli.view.away_words import AWAY_WORDS

    return AWAY_WORDS.get(kind)


def _started(event: AttemptStarted) -> Iterator[Line]:
    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    yield Line(Rank.SMALL, "running", f"{event.task} started{again}")


def _inputs_failed(event: InputsFailed) -> Iterator[Line]:
    yield Line(Rank.ALWAYS, "failed", f"{event.task} failed: {clean(event.reason)}")


def _identified(event: TasksIdentified) -> Iterator[Line]:
    for item in event.items:
        if item.outputs is not None:
            yield Line(Rank.VERBOSE, "up to date", f"{item.task} is up to date since run {item.source}")
        elif item.reason:
            yield Line(Rank.VERBOSE, "running", f"{item.task} must run: {clean(item.reason)}")


def _members_made(event: MembersMade) -> Iterator[Line]:
    yield Line(Rank.USUAL, "", f"{event.name} has {counted(prod(map(len, event.values)), 'member')}")


def _machine_added(event: MachineAdded) -> Iterator[Line]:
    if event.again:
        yield Line(Rank.USUAL, "", f"machine {event.machine} is there again")
    else:
        yield Line(Rank.VERBOSE, "", f"machine {event.machine} of pool {event.pool} takes tasks")


def _machine_gone(event: MachineGone) -> Iterator[Line]:
    if event.over_by is None:
        words = f"is gone: {clean(event.reason)}"
    else:
        words = f"is out of reach; what it has is run elsewhere from {moment(event.over_by)} on: {clean(event.reason)}"
    yield Line(Rank.ALWAYS, "lost", f"machine {event.machine} {words}")


def _delivered(event: ResultsDelivered) -> Iterator[Line]:
    if event.problem:
        yield Line(Rank.ALWAYS, "failed", clean(event.problem))


def _table_made(event: TableMade) -> Iterator[Line]:
    if event.problem:
        yield Line(Rank.ALWAYS, "failed", clean(event.problem))
    elif event.table:
        without = f", and {counted(event.errors, 'member')} without" if event.errors else ""
        yield Line(Rank.USUAL, "", f"{event.table[0].path} of {event.name} has {counted(event.rows, 'row')}{without}")


def _added(event: TasksAdded) -> Iterator[Line]:
    names = [task.name for task in event.tasks]
    yield Line(Rank.USUAL, "", f"{counted(len(names), 'task')} joined: {_few(names)}")


def _end_of(event: AttemptEnded, again: Again) -> Line:
    took = ""
    if event.started_at is not None and event.ended_at is not None:
        took = f" after {duration(event.ended_at - event.started_at)}"
    if event.failure is not None:
        words = failure_words(event.failure.value, event.outcome)
        which = f" (attempt {event.attempt})" if event.attempt > 1 else ""
        if again(event.task):
            return Line(Rank.USUAL, "skipped", f"{event.task} failed{took}: {words}{which}; it is tried again")
        return Line(Rank.ALWAYS, "failed", f"{event.task} failed{took}: {words}{which}")
    match event.outcome:
        case Exited():
            return Line(Rank.USUAL, "succeeded", f"{event.task} succeeded{took}")
        case Cancelled():
            return Line(Rank.USUAL, "cancelled", f"{event.task} was cancelled{took}")
        case _:
            return Line(Rank.USUAL, "lost", f"{event.task} {clean(describe_outcome(event.outcome))}; it is tried again")


def failure_words(failure: str, outcome: Outcome) -> str:
    """Say a failure's class and how the attempt ended."""
    return f"{failure}, {clean(describe_outcome(outcome))}"


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


_SILENT = frozenset({AttemptIntended, CancelAsked, MachineResized, RetryAsked, RunContinued, RunEnded, StopAsked})
_WORDS: Mapping[type, _Words] = MappingProxyType(
    {
        AttemptStarted: _started,
        TableMade: _table_made,
        InputsFailed: _inputs_failed,
        MachineAdded: _machine_added,
        MachineGone: _machine_gone,
        MembersMade: _members_made,
        ResultsDelivered: _delivered,
        TasksAdded: _added,
        TasksIdentified: _identified,
    }
)
