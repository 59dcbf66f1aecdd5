"""How each event changes the state of a run: the only place where it is changed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from typing import assert_never

from attrs import evolve

from longshore.model.artifact import Artifact
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    AttemptStarted,
    CancelAsked,
    Event,
    InputsFailed,
    InputsStaged,
    MachineAdded,
    MachineGone,
    MachineResized,
    MembersMade,
    Moved,
    MoveFailed,
    ObjectsDiscarded,
    ResultsDelivered,
    RetryAsked,
    RunContinued,
    RunEnded,
    StopAsked,
    TasksAdded,
    TasksIdentified,
)
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeaseIntended,
    LeasesLeft,
    OffersFound,
    OffersMissing,
    TasksRefused,
)
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.scheduler import losing, moving
from longshore.scheduler.building import add_tasks, make_members
from longshore.scheduler.leased import apply_renting, forget_offers, note_use
from longshore.scheduler.machines import add_machine, occupy
from longshore.scheduler.queues import consider, leave_machine, met, unqueue
from longshore.scheduler.state import DONE, ENDED, RunState, TaskPhase, TaskState

__all__ = ["apply", "selected"]

# Weight of the newest duration in the running mean of a task as written.
_PACE_WEIGHT = 0.2


def apply(state: RunState, event: Event) -> RunState:
    """Let an event change the state, and return it (the same object: a run of 100,000 tasks is not copied for each
    event).

    An event that says nothing new (an attempt's end told twice, a machine that is gone already) changes nothing.
    """
    match event:
        case AttemptEnded():
            _attempt_ended(state, event)
        case AttemptIntended():
            _attempt_intended(state, event)
        case AttemptStarted(task=name, attempt=attempt):
            task = state.tasks[name]
            if task.phase is TaskPhase.QUEUED and task.attempts == attempt:
                state.move(task, TaskPhase.RUNNING)
        case TasksIdentified():
            _identified(state, event)
        case InputsStaged():
            if moving.is_staged(state, event):
                state.move(state.tasks[event.task], TaskPhase.QUEUED)
        case Moved():
            for name in moving.arrive(state, event):
                _settle(state, name)
        case MoveFailed():
            _move_failed(state, event)
        case ObjectsDiscarded():
            losing.discarded(state, event)
        case ResultsDelivered(task=name):
            state.undelivered.pop(name, None)
            if state.where.stores:
                losing.forget(state, name)
        case InputsFailed():
            _inputs_failed(state, event)
        case MembersMade(name=name, values=values):
            _members_made(state, name, values)
        case MachineAdded():
            add_machine(state, event)
        case MachineResized(machine=name, resources=resources, alone=alone):
            state.machines[name].capacity = resources
            state.machines[name].alone = alone
        case MachineGone():
            _machine_gone(state, event)
        case TasksAdded(tasks=specs):
            add_tasks(state, specs)
            _require_all(state, (spec.name for spec in specs))
        case CancelAsked(tasks=names):
            _cancel(state, names)
        case RetryAsked(tasks=names):
            _retry(state, names)
        case StopAsked():
            state.stopping = True
        case RunContinued(fence=fence):
            _continued(state, fence)
        case RunEnded(state=ended):
            state.ended = ended
            if ended != "interrupted":
                losing.forget_all(state)
        case TasksRefused():
            _tasks_refused(state, event)
        case LeaseChanged() | LeaseDraining() | LeaseIntended() | LeasesLeft() | OffersFound() | OffersMissing():
            apply_renting(state, event)
        case _:
            assert_never(event)
    if state.rented:
        note_use(state, event)
    return state


def selected(state: RunState, names: Iterable[str]) -> Iterator[TaskState]:
    """Find tasks by id, or all members by the name of the task as written. Unknown names are passed over."""
    for name in names:
        if name in state.tasks:
            yield state.tasks[name]
        elif name in state.groups:
            yield from [state.tasks[task] for task in state.groups[name].members.values()]


def _continued(state: RunState, fence: int) -> None:
    state.fence = fence
    state.stopping = state.failing = False
    state.ended = None
    forget_offers(state)
    # The new controller has a link to none of them yet; it says of each machine when it has.
    for machine in state.machines.values():
        machine.linked = False
    # Files may have changed while no controller looked: what has not started is looked at again.
    for queue in state.ready.values():
        for view in list(queue):
            queue.remove(view)
            state.tasks[view.id].identity = ""
            state.unidentified[view.id] = None


def _identified(state: RunState, event: TasksIdentified) -> None:
    for item in event.items:
        task = state.tasks[item.task]
        if item.task in state.unidentified:
            del state.unidentified[item.task]
            task.identity = item.identity
            if item.outputs is None:
                if item.inputs:
                    task.view = evolve(task.view, inputs=item.inputs)
                state.ready[task.pool].add(task.view)
            else:
                _succeeded(state, task, TaskPhase.UP_TO_DATE, item.outputs, item.result)


def _inputs_failed(state: RunState, event: InputsFailed) -> None:
    task = state.tasks[event.task]
    if task.phase is TaskPhase.WAITING:
        task.failure = FailureClass.STAGING
        _unsuccessful(state, task, TaskPhase.FAILED)


def _tasks_refused(state: RunState, event: TasksRefused) -> None:
    for name in event.tasks:
        task = state.tasks[name]
        if task.phase is TaskPhase.WAITING:
            task.failure = event.failure
            _unsuccessful(state, task, TaskPhase.FAILED)


def _members_made(state: RunState, name: str, values: tuple[tuple[str, ...], ...]) -> None:
    group = state.groups.get(name)
    if group is None or group.made:
        return
    make_members(state, name, values)
    _require_all(state, [name])
    if group.unfinished == 0:
        met(state, group.readers)


def _attempt_intended(state: RunState, event: AttemptIntended) -> None:
    task = state.tasks[event.task]
    unqueue(state, task)
    task.attempts = event.attempt
    task.machine = event.machine
    if state.where.stores and moving.needs_staging(state, task):
        state.where.staging[event.task] = None
        state.move(task, TaskPhase.STAGING)
    else:
        state.move(task, TaskPhase.QUEUED)
    state.live[event.task] = None
    state.live_in_pool[task.pool] += 1
    occupy(state, task)


def _attempt_ended(state: RunState, event: AttemptEnded) -> None:
    task = state.tasks[event.task]
    if event.task not in state.live or task.attempts != event.attempt:
        return
    leave_machine(state, task)
    if event.started_at is not None and event.ended_at is not None:
        _keep_pace(state, task.view.name, (event.ended_at - event.started_at).total_seconds())
    match event.outcome:
        case Exited() if event.failure is None and state.where.stores and event.outputs:
            moving.wrote(state, task, event.outputs)
            state.where.settling[event.task] = event
            state.move(task, TaskPhase.STAGING)
            _settle(state, event.task)
        case Exited() if event.failure is None:
            _succeeded(state, task, TaskPhase.SUCCEEDED, event.outputs, event.result)
        case Exited():
            _attempt_failed(state, task, event, event.failure or FailureClass.USER_CODE)
        case Cancelled():
            if task.cancel_asked or state.cancelled:
                _unsuccessful(state, task, TaskPhase.CANCELLED)
            else:
                _again(state, task)
        case Lost() if event.failure is None:
            _again(state, task)
        case Lost():
            _attempt_failed(state, task, event, event.failure or FailureClass.MACHINE_LOST)
        case _:
            assert_never(event.outcome)


def _settle(state: RunState, name: str) -> None:
    """Let a task succeed when enough of its outputs is at home."""
    event = moving.settled(state, name)
    if event is not None:
        _succeeded(state, state.tasks[name], TaskPhase.SUCCEEDED, event.outputs, event.result)


def _move_failed(state: RunState, event: MoveFailed) -> None:
    """Let those fail that cannot go on without what did not come."""
    for name in moving.move_failed(state, event):
        task = state.tasks[name]
        if state.where.settling.pop(name, None) is None:
            if name in state.live:
                leave_machine(state, task)
            unqueue(state, task)
        _attempt_failed(state, task, event, event.failure)


def _require_all(state: RunState, names: Iterable[str]) -> None:
    """See to it that what new tasks read is there, or is made again."""
    state.where.unread.clear()
    for name in names if state.where.lost else ():
        for task in list(state.groups[name].members.values()):
            losing.require(state, state.tasks[task])


def _requeue(state: RunState, task: TaskState) -> None:
    """Put a task back that had been given to a machine."""
    if state.where.stores:
        # What it reads may have been made again meanwhile.
        task.identity = ""
        losing.require(state, task)
    consider(state, task)


def _keep_pace(state: RunState, name: str, seconds: float) -> None:
    known = state.pace.get(name)
    state.pace[name] = seconds if known is None else known + _PACE_WEIGHT * (seconds - known)
    state.common_pace += _PACE_WEIGHT * (seconds - state.common_pace)


def _again(state: RunState, task: TaskState) -> None:
    """Put a task back whose attempt never counted."""
    if task.cancel_asked or state.cancelled:
        _unsuccessful(state, task, TaskPhase.CANCELLED)
    else:
        state.move(task, TaskPhase.WAITING)
        _requeue(state, task)


def _attempt_failed(
    state: RunState, task: TaskState, event: AttemptEnded | MachineGone | MoveFailed, failure: FailureClass
) -> None:
    task.failure = failure
    if task.failures is None:
        task.failures = {}
    count = task.failures[failure] = task.failures.get(failure, 0) + 1
    retry = task.task.spec.retry
    if task.cancel_asked or state.cancelled:
        _unsuccessful(state, task, TaskPhase.CANCELLED)
    elif count >= retry.budget(failure):
        _unsuccessful(state, task, TaskPhase.LOST if failure is FailureClass.MACHINE_LOST else TaskPhase.FAILED)
    else:
        state.move(task, TaskPhase.WAITING)
        wait = retry.wait(failure, count)
        losing.require(state, task)
        if wait and not task.unmet:
            task.delayed_until = event.at + wait
            insort(state.delayed, (task.delayed_until, task.view.order, task.task.id))
        else:
            _requeue(state, task)


def _succeeded(
    state: RunState, task: TaskState, phase: TaskPhase, outputs: tuple[Artifact, ...], result: str | None
) -> None:
    state.move(task, phase)
    task.outputs = outputs
    task.result = result
    task.failure = None
    group = state.groups[task.view.name]
    if outputs and (task.task.spec.keep or not group.read):
        state.undelivered[task.task.id] = None
    group.unfinished -= 1
    if state.where.stores:
        losing.no_longer_reads(state, task)
    if task.readers:
        met(state, task.readers)
    if group.unfinished == 0 and group.made and group.readers:
        met(state, group.readers)


def _unsuccessful(state: RunState, task: TaskState, phase: TaskPhase) -> None:
    """End a task without success; all that waits for it is skipped."""
    unqueue(state, task)
    state.move(task, phase)
    losing.no_longer_reads(state, task)
    if phase is not TaskPhase.CANCELLED and not state.workflow.keep_going:
        state.failing = True
    _skip_readers(state, task)


def _skip_readers(state: RunState, task: TaskState) -> None:
    stack = [task]
    while stack:
        ended = stack.pop()
        for name in (*(ended.readers or ()), *state.groups[ended.view.name].readers):
            reader = state.tasks.get(name)
            if reader is not None and reader.phase is TaskPhase.WAITING:
                unqueue(state, reader)
                state.move(reader, TaskPhase.SKIPPED)
                losing.no_longer_reads(state, reader)
                stack.append(reader)


def _machine_gone(state: RunState, event: MachineGone) -> None:
    machine = state.machines.get(event.machine)
    if machine is None or machine.gone:
        return
    machine.gone = True
    for name in list(state.live):
        task = state.tasks[name]
        if task.machine == event.machine:
            leave_machine(state, task)
            _attempt_failed(state, task, event, event.failure)
    if machine.store and not any(each.store == machine.store and not each.gone for each in state.machines.values()):
        for name in [name for name in state.where.settling if _is_on(state, name, machine.store)]:
            del state.where.settling[name]
            _attempt_failed(state, state.tasks[name], event, event.failure)
        losing.lose_store(state, machine.store, f"its outputs were lost with {machine.id}: {event.reason}")


def _is_on(state: RunState, name: str, store: str) -> bool:
    return state.machines[state.tasks[name].machine].store == store


def _cancel(state: RunState, names: tuple[str, ...]) -> None:
    if not names:
        state.cancelled = True
    tasks = list(selected(state, names)) if names else list(state.tasks.values())
    for task in tasks:
        if task.task.id in state.live:
            task.cancel_asked = True
            state.cancelling[task.task.id] = None
        elif task.phase not in ENDED:
            task.cancel_asked = True
            state.where.settling.pop(task.task.id, None)
            _unsuccessful(state, task, TaskPhase.CANCELLED)


def _retry(state: RunState, names: tuple[str, ...]) -> None:
    """Give tasks that ended badly another chance, and with them all that was skipped for their sake."""
    state.ended = None
    state.failing = state.cancelled = False
    state.where.unread.clear()
    for task in list(selected(state, names)):
        if task.phase in ENDED - DONE:
            task.failures = None
            task.failure = None
            task.identity = ""
            task.cancel_asked = False
            _revive(state, task)
    for task in list(state.tasks.values()):
        if task.phase in ENDED - DONE - {TaskPhase.SKIPPED}:
            _skip_readers(state, task)


def _revive(state: RunState, task: TaskState) -> None:
    stack = [task]
    while stack:
        revived = stack.pop()
        state.move(revived, TaskPhase.WAITING)
        losing.require(state, revived)
        consider(state, revived)
        for name in (*(revived.readers or ()), *state.groups[revived.view.name].readers):
            reader = state.tasks.get(name)
            if reader is not None and reader.phase is TaskPhase.SKIPPED:
                stack.append(reader)
