"""The loop that performs what the scheduler decides and feeds back what happens.

One thread owns the state. All others only `Runner.post` events. A turn is: take what has happened, decide, write both
what happened and what is intended in one transaction, and only then perform. A crash between any two steps leaves a
journal from which the same turn can be continued.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from longshore.errors import JournalError, LongshoreError
from longshore.model.events import AttemptIntended, Event, RunEnded
from longshore.plugin.protocols import AssignmentStrategy
from longshore.runtime.journal import Journal, TaskRow, task_row
from longshore.scheduler.actions import (
    Action,
    CancelAttempt,
    Deliver,
    EndRun,
    Identify,
    MakeMembers,
    MakeTable,
    StartAttempt,
    WakeAt,
)
from longshore.scheduler.apply import apply
from longshore.scheduler.decide import decide
from longshore.scheduler.state import RunState

if TYPE_CHECKING:
    from longshore.scheduler.away_actions import AwayAction

__all__ = ["Performer", "Runner"]

_MOST_EVENTS = 2000
"""A turn that has so many events is committed before it goes on, so that others see them."""
_SYNC_SECONDS = 0.05
"""A power cut loses no more than this much of what has happened."""


class Performer(Protocol):
    """Does what was decided. Everything that it does ends in an event given to the runner, also when it fails."""

    def news(self, events: Sequence[Event]) -> Sequence[Event]:
        """Tell what else is to be known before anything is decided about these events."""
        ...

    def identify(self, tasks: Sequence[str]) -> Iterable[Event]:
        """Give back at once what can be told at once; the rest is posted later. Asking again changes nothing."""
        ...

    def start(self, actions: Sequence[StartAttempt]) -> None:
        """Hand attempts to their machines."""
        ...

    def perform(self, action: Action) -> None:
        """Begin any other action."""
        ...

    def committed(self, events: Sequence[Event]) -> None:
        """Learn that these are in the journal, so that evidence of them may go."""
        ...

    def synced(self) -> None:
        """Learn that everything committed is safe."""
        ...


class _Plans:
    """What is to be done at the end of a turn."""

    def __init__(self) -> None:
        self.starts: list[StartAttempt] = []
        self.intended: list[AwayAction] = []
        """These and the starts are written down first, and once."""
        self.costly = False
        """Whether something among them may cost money."""
        self.asked: list[Action] = []
        """Asked for in each turn until it is answered."""
        self.wake: datetime | None = None
        """When there is something to do even if nothing happens."""


class Runner:
    """Drives one run until it has ended."""

    def __init__(
        self,
        *,
        state: RunState,
        journal: Journal,
        strategy: AssignmentStrategy,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.state = state
        self._journal = journal
        self._strategy = strategy
        self._clock = clock
        self._queue: SimpleQueue[Sequence[Event] | LongshoreError] = SimpleQueue()
        self._asked: set[Action] = set()
        self._listeners: list[Callable[[Sequence[Event]], None]] = []
        self._wake: datetime | None = None
        self._last_sync = 0.0
        self._more = False
        self._total = len(state.tasks)

    def post(self, *events: Event) -> None:
        """Tell the runner what has happened, in its order; from any thread, never blocks. What is told together is
        taken together.
        """
        self._queue.put(events)

    def fail(self, error: LongshoreError) -> None:
        """Tell the runner that the run cannot go on; `loop` raises the error."""
        self._queue.put(error)

    def listen(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Let a function hear of all events after they are committed, in the runner's thread; it must return soon."""
        self._listeners.append(listener)

    def loop(self, performer: Performer) -> str:
        """Run until the run has ended; answer how.

        Raises:
            JournalError: when the journal cannot be written. Nothing was done that is not in it.
            PluginBroken: when the strategy breaks its contract.
        """
        try:
            # What was posted before opens a run again that was interrupted, or is to be tried again.
            self._turn(self._posted(), performer)
            while self.state.ended is None:
                events = self._next(performer)
                self._turn(events, performer)
        except JournalError:
            raise
        except LongshoreError:
            # What is in the journal counts, and whoever continues the run does not hear of it again.
            self._sync(performer)
            raise
        self._sync(performer)
        return self.state.ended

    def _next(self, performer: Performer) -> list[Event]:
        """Wait for something to happen, syncing the journal in time; return nothing when it is time to wake."""
        if self._more and not self._queue.qsize():
            return []
        while True:
            try:
                first = self._queue.get(timeout=self._patience())
            except Empty:
                if self._journal.unsynced:
                    self._sync(performer)
                if self._wake is not None and self._clock() >= self._wake:
                    return []
                continue
            return self._posted(first)

    def _posted(self, *first: Sequence[Event] | LongshoreError) -> list[Event]:
        """Take what has been posted so far."""
        taken: list[Event] = []
        for events in (*first, *(self._queue.get_nowait() for _ in range(self._queue.qsize()))):
            if isinstance(events, LongshoreError):
                raise events
            taken += events
        return taken

    def _patience(self) -> float | None:
        """Say how many seconds may pass before there is something to do even if nothing happens."""
        waits = []
        if self._journal.unsynced:
            waits.append(self._last_sync + _SYNC_SECONDS - time.monotonic())
        if self._wake is not None:
            waits.append((self._wake - self._clock()).total_seconds())
        return max(0.0, min(waits)) if waits else None

    def _turn(self, happened: Sequence[Event], performer: Performer) -> None:
        record: list[Event] = list(happened)
        plans = _Plans()
        for event in record:
            apply(self.state, event)
        for event in performer.news(happened):
            apply(self.state, event)
            record.append(event)
        while True:
            actions = decide(self.state, self._strategy, self._clock())
            news = self._answer(actions, performer, plans)
            self._more = len(record) + len(news) > _MOST_EVENTS
            for event in news:
                apply(self.state, event)
            record += news
            if not news or self._more:
                break
        if record:
            self._journal.write(record, self._rows())
            if len(self.state.tasks) != self._total:
                self._total = len(self.state.tasks)
                self._journal.set_meta("total", str(self._total))
            self._journal.commit()
            if time.monotonic() - self._last_sync >= _SYNC_SECONDS:
                self._sync(performer)
            performer.committed(record)
            for listener in self._listeners:
                listener(record)
        self._begin(plans, performer)

    def _answer(self, actions: Sequence[Action], performer: Performer, plans: _Plans) -> list[Event]:
        """Turn those actions into events that need nobody else, identities, intents, decisions, the end, and plan what
        is to be performed when these are committed.
        """
        news: list[Event] = []
        plans.asked.clear()
        plans.wake = None
        for action in actions:
            match action:
                case StartAttempt(task, attempt, machine):
                    plans.starts.append(action)
                    news.append(AttemptIntended(at=self._clock(), task=task, attempt=attempt, machine=machine))
                case Identify(tasks):
                    news += performer.identify(tasks)
                case EndRun(state):
                    news.append(RunEnded(at=self._clock(), state=state))
                case WakeAt(at):
                    plans.wake = at if plans.wake is None else min(plans.wake, at)
                case CancelAttempt() | Deliver() | MakeMembers() | MakeTable():
                    plans.asked.append(action)
                case _:
                    news += self._intended(action, plans)
        return news

    def _intended(self, action: AwayAction, plans: _Plans) -> list[Event]:
        """Do the same for an action that few runs have."""
        from longshore.scheduler.intents import costs_money, intent  # noqa: PLC0415  all runs wait for imports

        event, performed = intent(action, self._clock())
        if event is None:
            plans.asked.append(action)
            return []
        if performed:
            plans.intended.append(action)
            plans.costly |= costs_money(action)
        return [event]

    def _begin(self, plans: _Plans, performer: Performer) -> None:
        """Do what was planned, now that the journal says so."""
        # What has to travel first is asked for by other actions.
        starts = [each for each in plans.starts if each.task not in self.state.where.staging]
        if starts:
            performer.start(starts)
        if plans.costly:
            # What may cost money is written down for good before it is asked for.
            self._sync(performer)
        for intended in plans.intended:
            performer.perform(intended)
        self._wake = plans.wake
        # What is asked for and under way is not begun again; what is no longer asked for has been answered.
        for action in plans.asked:
            if action not in self._asked:
                performer.perform(action)
        self._asked = set(plans.asked)

    def _rows(self) -> list[TaskRow]:
        rows = list(map(task_row, self.state.moved.values()))
        self.state.moved.clear()
        return rows

    def _sync(self, performer: Performer) -> None:
        self._journal.sync()
        self._last_sync = time.monotonic()
        performer.synced()
