"""How tasks and their attempts end: well, badly, or to be tried again; for `longshore.scheduler.apply` alone."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import TYPE_CHECKING, assert_never

from longshore.model.artifact import Artifact
from longshore.model.events import AttemptEnded, MachineGone
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.scheduler import losing, moving
from longshore.scheduler.collecting import is_finished, is_result
from longshore.scheduler.queues import consider, leave_machine, met, unqueue
from longshore.scheduler.state import PENDING, RunState, TaskPhase, TaskState

if TYPE_CHECKING:
    from longshore.model.move_events import MoveFailed

__all__ = ["end_attempt", "end_badly", "fail_move", "lose_machine", "settle", "skip", "skip_readers", "succeed"]

# Weight of the newest duration in the running mean of a task as written.
_PACE_WEIGHT = 0.2


def end_attempt(state: RunState, event: AttemptEnded) -> None:
    """Note that an attempt is over; what is told twice, or of an earlier attempt, changes nothing."""
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
            settle(state, event.task)
        case Exited() if event.failure is None:
            succeed(state, task, TaskPhase.SUCCEEDED, event.outputs, event.result)
        case Exited():
            _attempt_failed(state, task, event, event.failure or FailureClass.USER_CODE)
        case Cancelled():
            if task.cancel_asked or state.cancelled:
                end_badly(state, task, TaskPhase.CANCELLED)
            else:
                _again(state, task)
        case Lost() if event.failure is None or (event.failure is FailureClass.ENVIRONMENT and _missed(state, task)):
            _again(state, task)
        case Lost():
            if event.failure is FailureClass.STAGING:
                losing.doubt(state, task)
            _attempt_failed(state, task, event, event.failure or FailureClass.MACHINE_LOST)
        case _:
            assert_never(event.outcome)


def _missed(state: RunState, task: TaskState) -> bool:
    """Say whether an attempt did not find its environment on its machine any more, which is asked for again."""
    build = state.builds.get((task.machine, task.view.environment))
    if build is None:
        return False
    build.miss()
    return True


def settle(state: RunState, name: str) -> None:
    """Let a task succeed when enough of its outputs is at home."""
    event = moving.settled(state, name)
    if event is not None:
        succeed(state, state.tasks[name], TaskPhase.SUCCEEDED, event.outputs, event.result)


def fail_move(state: RunState, event: MoveFailed) -> None:
    """Let those fail that cannot go on without what did not come."""
    for name in moving.move_failed(state, event):
        task = state.tasks[name]
        if state.where.settling.pop(name, None) is None:
            if name in state.live:
                leave_machine(state, task)
            unqueue(state, task)
        _attempt_failed(state, task, event, event.failure)


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
        end_badly(state, task, TaskPhase.CANCELLED)
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
        end_badly(state, task, TaskPhase.CANCELLED)
    elif count >= retry.budget(failure):
        end_badly(state, task, TaskPhase.LOST if failure is FailureClass.MACHINE_LOST else TaskPhase.FAILED)
    else:
        state.move(task, TaskPhase.WAITING)
        wait = retry.wait(failure, count)
        losing.require(state, task)
        if wait and not task.unmet:
            task.delayed_until = event.at + wait
            insort(state.delayed, (task.delayed_until, task.view.order, task.task.id))
        else:
            _requeue(state, task)


def succeed(
    state: RunState, task: TaskState, phase: TaskPhase, outputs: tuple[Artifact, ...], result: str | None
) -> None:
    """Let a task have succeeded, and tell those that wait for it."""
    state.move(task, phase)
    task.outputs = outputs
    task.result = result
    task.failure = None
    group = state.groups[task.view.name]
    if is_result(state, task):
        state.undelivered[task.task.id] = None
    group.unfinished -= 1
    if state.where.stores:
        losing.no_longer_reads(state, task)
    if task.readers:
        met(state, task.readers)
    if group.readers and is_finished(state, group):
        met(state, group.readers)


def end_badly(state: RunState, task: TaskState, phase: TaskPhase) -> None:
    """End a task without success; all that waits for it is skipped."""
    unqueue(state, task)
    state.move(task, phase)
    if phase is not TaskPhase.CANCELLED and not state.workflow.keep_going:
        state.failing = True
    skip_readers(state, task)


def skip_readers(state: RunState, task: TaskState) -> None:
    """Skip all that waits for a task that did not succeed."""
    skip(state, (*(task.readers or ()), *state.groups[task.view.name].readers))


def skip(state: RunState, names: Iterable[str]) -> None:
    """Skip these tasks, as far as they have not begun, and all that waits for them."""
    stack = list(names)
    while stack:
        reader = state.tasks.get(stack.pop())
        if reader is not None and reader.phase in PENDING:
            unqueue(state, reader)
            state.move(reader, TaskPhase.SKIPPED)
            stack += (*(reader.readers or ()), *state.groups[reader.view.name].readers)


def lose_machine(state: RunState, event: MachineGone) -> None:
    """Note that a machine is gone: its attempts fail, and what only it had is made again when somebody needs it.

    Of one that is only out of reach the same is not said before the moment when its attempts are over.
    """
    machine = state.machines.get(event.machine)
    if machine is None or machine.gone:
        return
    if event.over_by is not None:
        from longshore.scheduler.parting import part_with  # noqa: PLC0415  few runs lose a machine

        part_with(state, machine, event)
        return
    machine.gone = True
    state.parted.pop(machine.id, None)
    if state.builds:
        from longshore.scheduler.environments import lose_builds  # noqa: PLC0415  few runs build any

        lose_builds(state, event.machine)
    for name in list(state.live):
        task = state.tasks[name]
        # What fails here may have put others back that waited for the same.
        if name in state.live and task.machine == event.machine:
            leave_machine(state, task)
            _attempt_failed(state, task, event, event.failure)
    if machine.store and not any(each.store == machine.store and not each.gone for each in state.machines.values()):
        for name in [name for name in state.where.settling if _is_on(state, name, machine.store)]:
            del state.where.settling[name]
            _attempt_failed(state, state.tasks[name], event, event.failure)
        losing.lose_store(state, machine.store, f"its outputs were lost with {machine.id}: {event.reason}")


def _is_on(state: RunState, name: str, store: str) -> bool:
    return state.machines[state.tasks[name].machine].store == store
