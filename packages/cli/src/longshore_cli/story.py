"""What the journal tells of single tasks: where they stand, what they wait for, why they ran, how attempts ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from attrs import field, frozen

from longshore.errors import UsageError
from longshore.model.events import AttemptEnded, AttemptStarted, Event, InputsFailed, TasksIdentified
from longshore.model.lease_events import TasksRefused
from longshore.model.names import near
from longshore.runtime.history import RunReader
from longshore.runtime.options import RunOptions
from longshore.scheduler.apply import selected
from longshore.scheduler.collecting import is_finished
from longshore.scheduler.parting import Parted
from longshore.scheduler.pools import why_waiting
from longshore.scheduler.state import DONE, ENDED, LIVE, RunState, TaskPhase, TaskState

__all__ = ["Replayed", "Story"]


@frozen(kw_only=True)
class Story:
    """All that is known of one task of a run."""

    task: TaskState
    waits_for: tuple[str, ...]
    """What it still waits for, in words; of a task that was skipped, what did not succeed."""
    reason: str = ""
    """Why it had to run, as far as it was looked at."""
    source: str = ""
    """The run in which it succeeded before, when it was up to date."""
    room: str = ""
    """Why there is no machine for it, when it waits for one that is to be rented."""
    parted: Parted | None = None
    """That its machine is out of reach, when it has an attempt there that may go on."""
    out_of_reach: tuple[str, ...] = ()
    """The machines that it waits for in vain, when none of its pool can be reached."""
    refused: str = ""
    """Why its inputs could not be had."""
    started: datetime | None = None
    """When its present attempt began; None when none runs."""
    workdir: str = ""
    attempts: tuple[AttemptEnded, ...] = field(default=())
    uncached: bool = False
    """Whether the run was not to look for earlier successes."""


class Replayed:
    """One run's journal, replayed when a question needs it."""

    def __init__(self, reader: RunReader) -> None:
        self.reader = reader

    @cached_property
    def state(self) -> RunState:
        """The fold of the journal."""
        return self.reader.replay()

    @cached_property
    def _options(self) -> RunOptions:
        return RunOptions.from_json(self.reader.meta()["options"])

    def find(self, name: str) -> list[TaskState]:
        """Give the task of this id, or all members of the task as written that has this name.

        Raises:
            UsageError: when there is none; it names those that are near.
        """
        found = list(selected(self.state, [name]))
        if found:
            return found
        close = near(name, [*self.state.groups, *self.state.tasks])
        known = ", ".join(list(self.state.groups)[:10])
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {known}"
        raise UsageError(f"run {self.reader.folder.name} has no task {name!r}; {hint}")

    def story(self, task: TaskState) -> Story:
        """Read what is known of a task."""
        name = task.task.id
        events = [event for _, event in self.reader.events(about=name)]
        ended = tuple(event for event in events if isinstance(event, AttemptEnded) and event.task == name)
        live = _started(events, name) if task.phase is TaskPhase.RUNNING else None
        reason, source = _identified(events, name)
        workdir = live.workdir if live is not None else ended[-1].workdir if ended else ""
        return Story(
            task=task,
            waits_for=tuple(self._waits(task)) if task.phase in {TaskPhase.WAITING, TaskPhase.SKIPPED} else (),
            reason=reason,
            source=source if task.phase is TaskPhase.UP_TO_DATE else "",
            room=self._room(task) if task.phase is TaskPhase.WAITING else "",
            parted=self.state.parted.get(task.machine) if task.phase in LIVE else None,
            out_of_reach=self._out_of_reach(task) if task.phase is TaskPhase.WAITING else (),
            refused=_refused(events, name),
            started=live.at if live is not None else None,
            workdir=workdir,
            attempts=ended,
            uncached=not self._options.cache,
        )

    def _room(self, task: TaskState) -> str:
        return why_waiting(self.state, task.pool, datetime.now(UTC)) if task.pool in self.state.rented else ""

    def _out_of_reach(self, task: TaskState) -> tuple[str, ...]:
        machines = [each for each in self.state.machines.values() if each.pool == task.pool]
        missing = [each.id for each in machines if each.gone or each.id in self.state.parted]
        return tuple(missing) if len(missing) == len(machines) else ()

    def _waits(self, task: TaskState) -> list[str]:
        name = task.task.id
        waits = [
            f"{other.task.id} ({other.phase})"
            for other in self.state.tasks.values()
            if other.phase not in DONE and other.readers is not None and name in other.readers
        ]
        for group_name, group in self.state.groups.items():
            if name not in group.readers or is_finished(self.state, group):
                continue
            members = [self.state.tasks[member] for member in group.members.values()]
            bad = [member for member in members if member.phase in ENDED - DONE]
            if group_name in self.state.spoiled:
                waits.append(self.state.spoiled[group_name])
            elif not group.unfinished and group.made:
                waits.append(f"{group_name} (its table)")
            elif len(members) == 1:
                waits.append(f"{members[0].task.id} ({members[0].phase})")
            elif bad:
                waits.append(f"{bad[0].task.id} ({bad[0].phase})")
            else:
                waits.append(f"{group_name} ({group.unfinished:,} of {len(members):,} members to come)")
        return waits


def _identified(events: Sequence[Event], name: str) -> tuple[str, str]:
    """Give why the task had to run, and where it succeeded before, by the last time that it was looked at."""
    found = [
        item for event in events if isinstance(event, TasksIdentified) for item in event.items if item.task == name
    ]
    return (found[-1].reason, found[-1].source) if found else ("", "")


def _refused(events: Sequence[Event], name: str) -> str:
    found = [
        event.reason
        for event in events
        if (isinstance(event, InputsFailed) and event.task == name)
        or (isinstance(event, TasksRefused) and name in event.tasks)
    ]
    return found[-1] if found else ""


def _started(events: Sequence[Event], name: str) -> AttemptStarted | None:
    found = [event for event in events if isinstance(event, AttemptStarted) and event.task == name]
    return found[-1] if found else None
