"""What the machines of a run prove of it, beyond what its journal says: a controller that takes a run over from a copy
of the journal finds on machines what has happened since.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.model.events import AttemptEnded, AttemptIntended, Event, Identified, TasksIdentified
from longshore.model.move_events import InputsStaged, Moved
from longshore.model.outcome import Lost
from longshore.scheduler.apply import apply
from longshore.scheduler.building import waits_of
from longshore.scheduler.moving import must_settle
from longshore.scheduler.state import PENDING, RunState

__all__ = ["Found", "kept", "prove", "unproven"]

_FOLLOWED = "another attempt was begun after it"


@frozen(kw_only=True)
class Found:
    """An attempt that a machine knows of."""

    task: str
    attempt: int
    machine: str
    end: AttemptEnded | None = None
    """How it ended; None while it is not over."""


def prove(state: RunState, found: Iterable[Found], at: datetime) -> tuple[list[Event], list[Found]]:
    """Let a run know what was found; give the events that say it, and what cannot have happened as far as is known.

    What the run knows already makes no event. A machine that it does not know must have been added before.
    """
    proof = _Proof(state, at)
    left: dict[str, list[Found]] = {}
    for each in sorted(found, key=lambda each: (each.task, each.attempt)):
        left.setdefault(each.task, []).append(each)
    while left and (proof.take_all(left) or proof.settle(left) or proof.imply(left)):
        left = {name: some for name, some in left.items() if some}
    return proof.events, [each for some in left.values() for each in some]


class _Proof:
    def __init__(self, state: RunState, at: datetime) -> None:
        self.events: list[Event] = []
        self._state = state
        self._at = at

    def take_all(self, left: Mapping[str, list[Found]]) -> bool:
        """Go one step on with each task that can; say whether any could."""
        return sum(self._take(name, left) for name in left) > 0

    def _take(self, name: str, left: Mapping[str, list[Found]]) -> bool:
        """Go one step on with what was found of a task; False when nothing can be said of it (yet)."""
        task = self._state.tasks.get(name)
        if task is None:
            return False
        first = left[name][0]
        live = name in self._state.live
        if live and task.attempts == first.attempt:
            if first.end is not None:
                self._note(first.end)
            elif name in self._state.where.staging:
                self._note(InputsStaged(at=self._at, task=name, attempt=first.attempt))
            del left[name][0]
        elif first.attempt <= task.attempts:
            del left[name][0]
        elif live:
            lost = Lost(reason=_FOLLOWED)
            self._note(AttemptEnded(at=self._at, task=name, attempt=task.attempts, outcome=lost))
        elif task.phase in PENDING and not task.unmet:
            if name in self._state.unidentified:
                self._note(TasksIdentified(at=self._at, items=(Identified(task=name, identity=""),)))
            self._note(AttemptIntended(at=self._at, task=name, attempt=first.attempt, machine=first.machine))
        else:
            return False
        return True

    def settle(self, left: Iterable[str]) -> bool:
        """Take for safe what these tasks read, since they were begun; say whether that makes a difference."""
        settling = self._state.where.settling
        before = len(settling)
        for name in left:
            for producer in self._producers(name):
                if producer in settling:
                    self._safe(settling[producer])
        return len(settling) < before

    def imply(self, left: Iterable[str]) -> bool:
        """Let those have succeeded of which nothing is left but that these tasks were begun after them; say whether
        there were any. What they wrote is noted as something that nobody has, so that it is made again if need be.
        """
        stack, seen, found = list(left), set[str](), 0
        while stack:
            for producer in self._producers(stack.pop()):
                task = self._state.tasks[producer]
                if producer in seen or task.phase not in PENDING:
                    continue
                seen.add(producer)
                stack.append(producer)
                if producer in self._state.unidentified:
                    found += 1
                    lost = Artifact(path="lost", sha256=sha256(producer.encode()).hexdigest(), size=0)
                    item = Identified(task=producer, identity="", outputs=(lost,))
                    self._note(TasksIdentified(at=self._at, items=(item,)))
        return found > 0

    def _safe(self, end: AttemptEnded) -> None:
        """Let all have come where it had to come to before anybody could read it."""
        task = self._state.tasks[end.task]
        for artifact, target in list(must_settle(self._state, task, end.outputs)):
            straight = bool(target)
            moved = Moved(at=self._at, artifacts=(artifact,), source=task.machine, target=target, straight=straight)
            self._note(moved)

    def _producers(self, name: str) -> Iterator[str]:
        task = self._state.tasks.get(name)
        for producer, group in waits_of(self._state, task.task) if task is not None else ():
            yield from self._state.groups[group].members.values() if producer is None else (producer,)

    def _note(self, event: Event) -> None:
        apply(self._state, event)
        self.events.append(event)


def kept(state: RunState, buckets: Mapping[str, Container[str]], at: datetime) -> list[Event]:
    """Let a run know that buckets, by their URLs, have what was to come there; give the events that say it."""
    events: list[Event] = []
    for name, end in list(state.where.settling.items()):
        task = state.tasks[name]
        for artifact, target in list(must_settle(state, task, end.outputs)):
            if artifact.sha256 in buckets.get(target, ()):
                moved = Moved(at=at, artifacts=(artifact,), source=task.machine, target=target, straight=True)
                apply(state, moved)
                events.append(moved)
    return events


def unproven(state: RunState) -> list[str]:
    """Name the tasks that may have begun though nothing shows it: those that wait for nothing that still runs."""
    waiting: set[str] = set()
    stack = [*state.live, *state.where.settling]
    while stack:
        task = state.tasks[stack.pop()]
        for name in (*(task.readers or ()), *state.groups[task.view.name].readers):
            if name in state.tasks and name not in waiting:
                waiting.add(name)
                stack.append(name)
    return [name for name, task in state.tasks.items() if task.phase in PENDING and name not in waiting]
