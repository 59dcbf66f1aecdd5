"""How each event changes the state of a run: the only place where it is changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

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
from longshore.model.outcome import FailureClass
from longshore.scheduler import losing, moving
from longshore.scheduler.building import add_tasks, make_members
from longshore.scheduler.collecting import is_finished, recollect, table_made
from longshore.scheduler.endings import (
    end_attempt,
    end_badly,
    lose_machine,
    skip,
    skip_readers,
    succeed,
)
from longshore.scheduler.machines import add_machine, occupy
from longshore.scheduler.queues import consider, enqueue, met, unqueue
from longshore.scheduler.state import DONE, ENDED, PENDING, RunState, TaskPhase, TaskState

__all__ = ["apply", "selected"]


def apply(state: RunState, event: Event) -> RunState:
    """Let an event change the state, and return it (the same object: a run of 100,000 tasks is not copied for each
    event).

    An event that says nothing new (an attempt's end told twice, a machine that is gone already) changes nothing.
    """
    match event:
        case AttemptEnded():
            end_attempt(state, event)
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
            if state.where.stores:
                losing.forget(state, name)
        case InputsFailed():
            _inputs_failed(state, event)
        case MembersMade(name=name, values=values):
            _members_made(state, name, values)
        case TableMade():
            if not table_made(state, event):
                _spoil(state, event.name)
        case MachineAdded():
            add_machine(state, event)
        case MachineResized(machine=name, resources=resources, alone=alone):
            state.machines[name].capacity = resources
            state.machines[name].alone = alone
        case MachineGone():
            lose_machine(state, event)
        case TasksAdded(tasks=specs, environments=environments):
            if environments:
                state.workflow = evolve(state.workflow, environments=(*state.workflow.environments, *environments))
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
        case _:
            # Few runs have any of these, and every start of a run waits for what is imported.
            from longshore.scheduler.apply_away import apply_away  # noqa: PLC0415  as above

            apply_away(state, event)
    if state.rented:
        from longshore.scheduler.leased import note_use  # noqa: PLC0415  as above

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
    for pool in state.rented.values():
        pool.forget_offers()
    for lease in state.leases.values():
        lease.left = False
    for build in state.builds.values():
        build.doubt()
    # The new controller has a link to none of them yet; it says of each machine when it has.
    state.parted.clear()
    for machine in state.machines.values():
        machine.linked = False
    # Files may have changed while no controller looked: what has not started is looked at again.
    for queue in state.ready.values():
        for view in list(queue):
            unqueue(state, state.tasks[view.id])
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
                enqueue(state, task)
            else:
                moving.at_home(state, item.outputs)
                succeed(state, task, TaskPhase.UP_TO_DATE, item.outputs, item.result)
        elif item.task in state.where.staging:
            moving.is_read(state, item)


def _inputs_failed(state: RunState, event: InputsFailed) -> None:
    task = state.tasks[event.task]
    if task.phase in PENDING:
        task.failure = FailureClass.STAGING
        end_badly(state, task, TaskPhase.FAILED)


def _members_made(state: RunState, name: str, values: tuple[tuple[str, ...], ...]) -> None:
    group = state.groups.get(name)
    if group is None or group.made:
        return
    make_members(state, name, values)
    _require_all(state, [name])
    if is_finished(state, group):
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


def _require_all(state: RunState, names: Iterable[str]) -> None:
    """See to it that what new tasks read is there, or is made again."""
    state.where.unread.clear()
    for name in names if state.where.lost else ():
        for task in list(state.groups[name].members.values()):
            losing.require(state, state.tasks[task])


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
            end_badly(state, task, TaskPhase.CANCELLED)


def _retry(state: RunState, names: tuple[str, ...]) -> None:
    """Give tasks that ended badly another chance, and with them all that was skipped for their sake."""
    state.ended = None
    state.failing = state.cancelled = False
    state.where.unread.clear()
    for build in state.builds.values():
        build.forgive()
    for name in list(state.spoiled):
        recollect(state, state.groups[name])
        _revive(state, _skipped(state, state.groups[name].readers))
    for task in list(selected(state, names)):
        if task.phase in ENDED - DONE:
            task.failures = None
            task.failure = None
            task.identity = ""
            task.cancel_asked = False
            _revive(state, [task])
    for task in list(state.tasks.values()):
        if task.phase in ENDED - DONE - {TaskPhase.SKIPPED}:
            skip_readers(state, task)


def _spoil(state: RunState, name: str) -> None:
    """Let a run have failed whose table lacks members, and skip what would read it."""
    if not state.workflow.keep_going:
        state.failing = True
    skip(state, state.groups[name].readers)


def _skipped(state: RunState, names: Iterable[str]) -> list[TaskState]:
    return [state.tasks[name] for name in names if name in state.tasks and state.tasks[name].phase is TaskPhase.SKIPPED]


def _revive(state: RunState, tasks: Iterable[TaskState]) -> None:
    stack = list(tasks)
    while stack:
        revived = stack.pop()
        recollect(state, state.groups[revived.view.name])
        state.move(revived, TaskPhase.WAITING)
        losing.require(state, revived)
        consider(state, revived)
        stack += _skipped(state, (*(revived.readers or ()), *state.groups[revived.view.name].readers))
