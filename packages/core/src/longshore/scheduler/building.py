"""The first state of a run, and tasks that join it later: members, edges, priorities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from longshore.model.task import Reference, Task, TaskSpec
from longshore.model.views import TaskView
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.collecting import is_finished
from longshore.scheduler.graph import UNMADE, depths, expand, matching, member_of, source_references
from longshore.scheduler.state import DONE, ENDED, GroupState, ReadyQueue, RunState, TaskPhase, TaskState

__all__ = ["add_tasks", "begin", "make_members", "missing_members", "waits_of"]

# One step of the user's priority outweighs any path, however long.
_PRIORITY_STEP = 1e9


def begin(workflow: WorkflowSpec) -> RunState:
    """Build the state of a run before its first event.

    Raises:
        ValueError: when a parameter's values still have to be read from the project's files.
    """
    state = RunState(workflow=workflow)
    for pool in workflow.pools:
        state.pools[pool.name] = pool.tasks
        state.ready[pool.name] = ReadyQueue()
        if pool.rented is not None:
            from longshore.scheduler.rented_state import RentedState  # noqa: PLC0415  few runs rent

            state.rented[pool.name] = RentedState(spec=pool.rented)
    add_tasks(state, workflow.tasks)
    return state


def add_tasks(state: RunState, specs: Sequence[TaskSpec]) -> None:
    """Let more tasks join. Those that wait for nothing can be looked at at once."""
    known = [group.spec for group in state.groups.values()]
    depth = depths([*known, *specs])
    for spec in specs:
        made = not (spec.for_each and any(source_references(spec)))
        if spec.collect is not None:
            state.unmade_tables[spec.name] = None
        group = state.groups[spec.name] = GroupState(spec=spec, made=made)
        _add_members(state, group, expand(spec), depth[spec.name])
    for spec in specs:
        if not (spec.references or spec.after or spec.for_each):
            for task in state.groups[spec.name].members.values():
                state.unidentified[task] = None
            continue
        _mark_read(state, spec)
        _link(state, spec, [state.tasks[task] for task in state.groups[spec.name].members.values()])


def make_members(state: RunState, name: str, values: Sequence[Sequence[str]]) -> list[TaskState]:
    """Put the members of a task in the place of its placeholder, and return them."""
    group = state.groups[name]
    placeholder = state.tasks.pop(group.members.pop(UNMADE))
    state.phases[placeholder.phase] -= 1
    state.unmade.pop(name, None)
    group.made = True
    group.unfinished -= 1
    group.open -= 1
    if placeholder.pool in state.rented:
        state.rented[placeholder.pool].open -= 1
    depth = depths(group.spec for group in state.groups.values())[name]
    _add_members(state, group, expand(group.spec, values), depth)
    members = [state.tasks[task] for task in group.members.values()]
    _link(state, group.spec, members)
    return members


def _add_members(state: RunState, group: GroupState, tasks: Iterable[Task], depth: int) -> None:
    spec = group.spec
    pool = state.pool_of(spec)
    priority = spec.priority * _PRIORITY_STEP + depth
    first = state.next_order
    for task in tasks:
        view = TaskView(
            id=task.id,
            name=spec.name,
            needs=spec.needs,
            priority=priority,
            order=state.next_order,
            environment=spec.environment or "",
        )
        state.tasks[task.id] = TaskState(task=task, view=view, pool=pool)
        group.members[task.member] = task.id
        state.next_order += 1
    group.unfinished += state.next_order - first
    group.open += state.next_order - first
    state.phases[TaskPhase.WAITING] += state.next_order - first
    if pool in state.rented:
        state.rented[pool].want(spec.needs)
        state.rented[pool].open += state.next_order - first


def _mark_read(state: RunState, spec: TaskSpec) -> None:
    for reference in (*spec.references, *source_references(spec)):
        group = state.groups.get(reference.task)
        # A table is not an output of the members, which come home though somebody reads it.
        if group is not None and not reference.workflow and (reference.member or not group.spec.expands):
            group.read = True


def _link(state: RunState, spec: TaskSpec, members: Sequence[TaskState]) -> None:
    """Make the edges of new tasks, and put those without open ones where `decide` finds them."""
    local = [reference for reference in spec.references if not reference.workflow]
    local += [reference for reference in source_references(spec) if not reference.workflow]
    personal = [reference for reference in local if "$" in reference.member]
    shared = _waits(state, None, [reference for reference in local if "$" not in reference.member])
    shared.update((None, name) for name in spec.after if name in state.groups)
    for member in members:
        waits = shared | _waits(state, member.task, personal) if personal else shared
        doomed = False
        for task, group in waits:
            doomed |= _wait_for(state, member, task, group)
        if doomed:
            state.move(member, TaskPhase.SKIPPED)
        elif member.unmet == 0:
            if member.task.member == UNMADE:
                state.unmade[spec.name] = None
            else:
                state.unidentified[member.task.id] = None


def waits_of(state: RunState, task: Task) -> set[tuple[str | None, str]]:
    """Say what a task waits for, or has waited for: as `_waits` does, of all that it names."""
    spec = task.spec
    if not (spec.references or spec.after or spec.for_each):
        return set()
    references = [reference for reference in (*spec.references, *source_references(spec)) if not reference.workflow]
    return _waits(state, task, references) | {(None, name) for name in spec.after if name in state.groups}


def _waits(state: RunState, task: Task | None, references: Iterable[Reference]) -> set[tuple[str | None, str]]:
    """Say for what a task waits: pairs of one task's id and its group, or of None and a group, for all of it."""
    waits: set[tuple[str | None, str]] = set()
    for reference in references:
        group = state.groups.get(reference.task)
        if group is None:
            continue
        if not group.spec.expands or not group.made:
            waits.add((None, reference.task))
            continue
        pattern = reference.member if task is None else member_of(reference, task)
        found = matching(group.members, pattern)
        if not found:
            waits.add((None, reference.task))
        else:
            waits.update((group.members[member], reference.task) for member in found)
    return waits


def _wait_for(state: RunState, member: TaskState, task: str | None, group_name: str) -> bool:
    """Count one more thing to wait for, unless it is there. Answer whether it will never be."""
    if task is not None:
        producer = state.tasks[task]
        if producer.readers is None:
            producer.readers = []
        producer.readers.append(member.task.id)
        if producer.phase in DONE:
            return False
        member.unmet += 1
        return producer.phase in ENDED
    group = state.groups[group_name]
    group.readers.append(member.task.id)
    if is_finished(state, group):
        return False
    member.unmet += 1
    if group_name in state.spoiled:
        return True
    # Only for tasks that join later can a producer have ended badly; to look at all members of a fresh group would be
    # quadratic.
    return state.phases[TaskPhase.WAITING] != len(state.tasks) and any(
        state.tasks[task].phase in ENDED - DONE for task in group.members.values()
    )


def missing_members(state: RunState) -> list[tuple[str, Reference, str]]:
    """List references to members that do not exist: the reader, the reference, the member or glob that was meant.

    Of members that are still to be made nobody can say yet.
    """
    missing: list[tuple[str, Reference, str]] = []
    for group in state.groups.values():
        if not group.spec.references:
            continue
        references = [reference for reference in group.spec.references if not reference.workflow and reference.member]
        for reference in references:
            producer = state.groups.get(reference.task)
            if producer is None or not producer.made or ("$" in reference.member and not group.made):
                continue
            readers = group.members.values() if "$" in reference.member else list(group.members.values())[:1]
            for reader in readers:
                member = member_of(reference, state.tasks[reader].task)
                found = matching(producer.members, member)
                if found is not None and not found:
                    missing.append((reader, reference, member))
    return missing
