"""When the table of a task's members is to be made, and what follows from it.

Pure, like all of the scheduler. Every function here returns at once in a run that collects nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from longshore.model.events import TableMade
from longshore.scheduler.actions import MakeTable
from longshore.scheduler.queues import met
from longshore.scheduler.state import ENDED, GroupState, RunState, TaskState

__all__ = ["collections", "is_finished", "is_result", "recollect", "table_made"]


def collections(state: RunState, *, ending: bool = False) -> Iterator[MakeTable]:
    """Ask for the tables whose members have all ended; with ``ending`` for all, since no member will run any more."""
    for name in state.unmade_tables:
        if ending or not state.groups[name].open:
            yield MakeTable(name, state.groups[name].edition)


def is_finished(state: RunState, group: GroupState) -> bool:
    """Say whether all that a task as written stands for has succeeded, its table included."""
    if group.unfinished or not group.made:
        return False
    return group.spec.collect is None or not (
        group.spec.name in state.unmade_tables or group.spec.name in state.spoiled
    )


def is_result(state: RunState, task: TaskState) -> bool:
    """Say whether what a task has written comes home when it has succeeded."""
    spec = task.task.spec
    return bool(task.outputs) and (spec.keep or bool(spec.results_to) or not state.groups[task.view.name].read)


def table_made(state: RunState, event: TableMade) -> bool:
    """Note that a table is made; answer whether it is whole. What is told twice changes nothing."""
    group = state.groups[event.name]
    if event.name not in state.unmade_tables or event.edition != group.edition:
        return True
    del state.unmade_tables[event.name]
    group.table = event.table
    if event.problem:
        state.spoiled[event.name] = event.problem
        return False
    if is_finished(state, group):
        met(state, group.readers)
    return True


def recollect(state: RunState, group: GroupState) -> None:
    """Have a table made anew, before any of its members runs again."""
    if group.spec.collect is None:
        return
    name = group.spec.name
    group.edition += 1
    if name in state.unmade_tables:
        return
    state.spoiled.pop(name, None)
    state.unmade_tables[name] = None
    group.open = sum(state.tasks[task].phase not in ENDED for task in group.members.values())
