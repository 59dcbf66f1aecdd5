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
from typing import Protocol

from longshore.errors import JournalError, LongshoreError
from longshore.model.events import AttemptIntended, BuildIntended, Event, ObjectsDiscarded, RunEnded
from longshore.model.lease_events import LeaseDraining, LeaseIntended, TasksRefused
from longshore.plugin.protocols import AssignmentStrategy
from longshore.runtime.journal import Journal, TaskRow
from longshore.scheduler.actions import Action, BuildEnvironment, Discard, EndRun, Identify, StartAttempt, WakeAt
from longshore.scheduler.apply import apply
from longshore.scheduler.decide import decide
from longshore.scheduler.renting_actions import DrainMachine, RefuseTasks, Rent
from longshore.scheduler.state import RunState

__all__ = ["Performer", "Runner"]

_ANSWERED = (StartAttempt, BuildEnvironment, Identify, Discard, EndRun, Rent, DrainMachine, RefuseTasks)
"""Actions that become events at once; what is to be done for them follows when these are committed."""
_MOST_EVENTS = 2000
"""A turn that has so many events is committed before it goes on, so that others see them."""
_SYNC_SECONDS = 0.05
"""A power cut loses no more than this much of what has happened."""


Intended = BuildEnvironment | Discard | Rent | StartAttempt
"""Actions that are written down before they are performed, once."""


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
        intended: list[Intended] = []
        for event in record:
            apply(self.state, event)
        for event in performer.news(happened):
            apply(self.state, event)
            record.append(event)
        while True:
            actions = decide(self.state, self._strategy, self._clock())
            news = self._answer(actions, performer, intended)
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
        if intended:
            self._begin(intended, performer)
        self._perform(actions, performer)

    def _answer(self, actions: Sequence[Action], performer: Performer, intended: list[Intended]) -> list[Event]:
        """Turn those actions into events that need nobody else: identities, intents, decisions, the end."""
        news: list[Event] = []
        for action in actions:
            match action:
                case StartAttempt(task, attempt, machine):
                    intended.append(action)
                    news.append(AttemptIntended(at=self._clock(), task=task, attempt=attempt, machine=machine))
                case Identify(tasks):
                    news += performer.identify(tasks)
                case Discard(machine, digests):
                    intended.append(action)
                    news.append(ObjectsDiscarded(at=self._clock(), machine=machine, digests=digests))
                case BuildEnvironment(environment, number, machine):
                    intended.append(action)
                    news.append(
                        BuildIntended(at=self._clock(), environment=environment, number=number, machine=machine)
                    )
                case Rent(lease, pool, kind, offer, ends_at):
                    intended.append(action)
                    news.append(
                        LeaseIntended(at=self._clock(), lease=lease, pool=pool, kind=kind, offer=offer, ends_at=ends_at)
                    )
                case DrainMachine(lease, reason):
                    news.append(LeaseDraining(at=self._clock(), lease=lease, reason=reason))
                case RefuseTasks(tasks, reason, failure):
                    news.append(TasksRefused(at=self._clock(), tasks=tasks, reason=reason, failure=failure))
                case EndRun(state):
                    news.append(RunEnded(at=self._clock(), state=state))
                case _:
                    pass
        return news

    def _begin(self, intended: Sequence[Intended], performer: Performer) -> None:
        """Do what is intended, now that the journal says so. What has to travel first is asked for by other actions."""
        staging = self.state.where.staging
        starts = [each for each in intended if isinstance(each, StartAttempt) and each.task not in staging]
        if starts:
            performer.start(starts)
        if any(isinstance(each, Rent) for each in intended):
            # What may cost money is written down for good before it is asked for.
            self._sync(performer)
        for each in intended:
            if isinstance(each, BuildEnvironment | Discard | Rent):
                performer.perform(each)

    def _perform(self, actions: Sequence[Action], performer: Performer) -> None:
        """Begin what is asked for and not under way; what is no longer asked for has been answered."""
        asked: set[Action] = set()
        self._wake = None
        for action in actions:
            if isinstance(action, WakeAt):
                self._wake = action.at if self._wake is None else min(self._wake, action.at)
            elif not isinstance(action, _ANSWERED):
                asked.add(action)
                if action not in self._asked:
                    performer.perform(action)
        self._asked = asked

    def _rows(self) -> list[TaskRow]:
        rows: list[TaskRow] = [
            (
                task.view.order,
                name,
                task.phase.value,
                task.attempts,
                task.machine,
                task.failure.value if task.failure else "",
            )
            for name, task in self.state.moved.items()
        ]
        self.state.moved.clear()
        return rows

    def _sync(self, performer: Performer) -> None:
        self._journal.sync()
        self._last_sync = time.monotonic()
        performer.synced()
