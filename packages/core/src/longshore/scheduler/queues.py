"""How tasks enter and leave the queues that `longshore.scheduler.decide` reads; for `longshore.scheduler.apply`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from longshore.scheduler.graph import UNMADE
from longshore.scheduler.machines import leave
from longshore.scheduler.state import RunState, TaskPhase, TaskState

__all__ = ["consider", "enqueue", "leave_machine", "met", "unqueue"]


def met(state: RunState, readers: Iterable[str]) -> None:
    """Tell readers that one of the things they wait for is there."""
    for name in readers:
        reader = state.tasks.get(name)
        if reader is None:
            continue
        reader.unmet -= 1
        if reader.unmet == 0 and reader.phase is TaskPhase.WAITING:
            consider(state, reader)


def consider(state: RunState, task: TaskState) -> None:
    """Put a task that waits for no other where `decide` finds it; leave alone one that waits."""
    if task.unmet:
        return
    if task.task.member == UNMADE:
        state.unmade[task.view.name] = None
    elif task.identity:
        enqueue(state, task)
    else:
        state.unidentified[task.task.id] = None


def enqueue(state: RunState, task: TaskState) -> None:
    """Put a task in that could start, and show whether its environment is being built."""
    state.ready[task.pool].add(task.view)
    if task.view.environment and state.under_construction:
        from longshore.scheduler.environments import show  # noqa: PLC0415  few runs build any

        show(state, task)


def unqueue(state: RunState, task: TaskState) -> None:
    """Take a task out of every queue of things to do."""
    state.ready[task.pool].remove(task.view)
    if task.phase is TaskPhase.BUILDING:
        state.move(task, TaskPhase.WAITING)
    state.unidentified.pop(task.task.id, None)
    if task.task.member == UNMADE:
        state.unmade.pop(task.view.name, None)
    if task.delayed_until is not None:
        entry = (task.delayed_until, task.view.order, task.task.id)
        del state.delayed[bisect_left(state.delayed, entry)]
        task.delayed_until = None


def leave_machine(state: RunState, task: TaskState) -> None:
    """End what a task's attempt takes of its machine and of its pool."""
    del state.live[task.task.id]
    state.live_in_pool[task.pool] -= 1
    state.cancelling.pop(task.task.id, None)
    if state.where.staging:
        state.where.staging.pop(task.task.id, None)
    leave(state, task)
