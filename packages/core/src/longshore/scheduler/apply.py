"""How each event changes the state of a run: the only place where it is changed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import assert_never

from longshore.model.artifact import Artifact
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
    TasksAdded,
    TasksIdentified,
)
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.scheduler.building import add_tasks, make_members
from longshore.scheduler.graph import UNMADE
from longshore.scheduler.machines import add_machine, leave, occupy
from longshore.scheduler.state import DONE, ENDED, LIVE, RunState, TaskPhase, TaskState

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
        case ResultsDelivered(task=name):
            state.undelivered.pop(name, None)
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
        case _:
            assert_never(event)
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
                state.ready[task.pool].add(task.view)
            else:
                _succeeded(state, task, TaskPhase.UP_TO_DATE, item.outputs, item.result)


def _inputs_failed(state: RunState, event: InputsFailed) -> None:
    task = state.tasks[event.task]
    if task.phase is TaskPhase.WAITING:
        task.failure = FailureClass.STAGING
        _unsuccessful(state, task, TaskPhase.FAILED)


def _members_made(state: RunState, name: str, values: tuple[tuple[str, ...], ...]) -> None:
    group = state.groups.get(name)
    if group is None or group.made:
        return
    make_members(state, name, values)
    if group.unfinished == 0:
        _met(state, group.readers)


def _attempt_intended(state: RunState, event: AttemptIntended) -> None:
    task = state.tasks[event.task]
    _unqueue(state, task)
    task.attempts = event.attempt
    task.machine = event.machine
    state.move(task, TaskPhase.QUEUED)
    state.live[event.task] = None
    state.live_in_pool[task.pool] += 1
    occupy(state, task)


def _leave_machine(state: RunState, task: TaskState) -> None:
    del state.live[task.task.id]
    state.live_in_pool[task.pool] -= 1
    state.cancelling.pop(task.task.id, None)
    leave(state, task)


def _attempt_ended(state: RunState, event: AttemptEnded) -> None:
    task = state.tasks[event.task]
    if task.phase not in LIVE or task.attempts != event.attempt:
        return
    _leave_machine(state, task)
    if event.started_at is not None and event.ended_at is not None:
        _keep_pace(state, task.view.name, (event.ended_at - event.started_at).total_seconds())
    match event.outcome:
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
        state.ready[task.pool].add(task.view)


def _attempt_failed(state: RunState, task: TaskState, event: AttemptEnded | MachineGone, failure: FailureClass) -> None:
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
        if wait:
            task.delayed_until = event.at + wait
            insort(state.delayed, (task.delayed_until, task.view.order, task.task.id))
        else:
            state.ready[task.pool].add(task.view)


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
    if task.readers:
        _met(state, task.readers)
    if group.unfinished == 0 and group.made and group.readers:
        _met(state, group.readers)


def _met(state: RunState, readers: Iterable[str]) -> None:
    """Tell readers that one of the things they wait for is there."""
    for name in readers:
        reader = state.tasks.get(name)
        if reader is None:
            continue
        reader.unmet -= 1
        if reader.unmet == 0 and reader.phase is TaskPhase.WAITING:
            _consider(state, reader)


def _consider(state: RunState, task: TaskState) -> None:
    """Put a task that waits for no other where `decide` finds it."""
    if task.task.member == UNMADE:
        state.unmade[task.view.name] = None
    elif task.identity:
        state.ready[task.pool].add(task.view)
    else:
        state.unidentified[task.task.id] = None


def _unqueue(state: RunState, task: TaskState) -> None:
    """Take a task out of every queue of things to do."""
    state.ready[task.pool].remove(task.view)
    state.unidentified.pop(task.task.id, None)
    if task.task.member == UNMADE:
        state.unmade.pop(task.view.name, None)
    if task.delayed_until is not None:
        entry = (task.delayed_until, task.view.order, task.task.id)
        del state.delayed[bisect_left(state.delayed, entry)]
        task.delayed_until = None


def _unsuccessful(state: RunState, task: TaskState, phase: TaskPhase) -> None:
    """End a task without success; all that waits for it is skipped."""
    _unqueue(state, task)
    state.move(task, phase)
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
                _unqueue(state, reader)
                state.move(reader, TaskPhase.SKIPPED)
                stack.append(reader)


def _machine_gone(state: RunState, event: MachineGone) -> None:
    machine = state.machines.get(event.machine)
    if machine is None or machine.gone:
        return
    machine.gone = True
    for name in list(state.live):
        task = state.tasks[name]
        if task.machine == event.machine:
            _leave_machine(state, task)
            _attempt_failed(state, task, event, event.failure)


def _cancel(state: RunState, names: tuple[str, ...]) -> None:
    if not names:
        state.cancelled = True
    tasks = list(selected(state, names)) if names else list(state.tasks.values())
    for task in tasks:
        if task.phase in LIVE:
            task.cancel_asked = True
            state.cancelling[task.task.id] = None
        elif task.phase not in ENDED:
            task.cancel_asked = True
            _unsuccessful(state, task, TaskPhase.CANCELLED)


def _retry(state: RunState, names: tuple[str, ...]) -> None:
    """Give tasks that ended badly another chance, and with them all that was skipped for their sake."""
    state.ended = None
    state.failing = state.cancelled = False
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
        if revived.unmet == 0:
            _consider(state, revived)
        for name in (*(revived.readers or ()), *state.groups[revived.view.name].readers):
            reader = state.tasks.get(name)
            if reader is not None and reader.phase is TaskPhase.SKIPPED:
                stack.append(reader)
