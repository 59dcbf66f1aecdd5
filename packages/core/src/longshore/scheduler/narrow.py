"""A part of a workflow: only some tasks with what they read, or only the first members of each."""

from __future__ import annotations

from collections.abc import Collection

from attrs import evolve

from longshore.errors import UsageError
from longshore.model.names import near
from longshore.model.task import FilesMatching, OutputFiles, Parameter, Range, Values
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.graph import producers

__all__ = ["first_members", "only_tasks"]


def only_tasks(spec: WorkflowSpec, names: Collection[str]) -> WorkflowSpec:
    """Keep the named tasks as written and all that they wait for.

    Raises:
        UsageError: when a name is no task of the workflow.
    """
    known = {task.name: task for task in spec.tasks}
    kept: set[str] = set()
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in known:
            close = near(name, known)
            hint = f"; did you mean {', '.join(close)}?" if close else f"; it has {', '.join(sorted(known)[:10])}"
            raise UsageError(f"workflow {spec.name} has no task {name!r}{hint}")
        if name not in kept:
            kept.add(name)
            stack.extend(producers(known[name]))
    return evolve(spec, tasks=tuple(task for task in spec.tasks if task.name in kept))


def first_members(spec: WorkflowSpec, count: int) -> WorkflowSpec:
    """Keep only the first ``count`` values of each parameter, for a trial of a workflow.

    References to single members that are left out become mistakes, which are told before anything runs.
    """

    def first(parameter: Parameter) -> Parameter:
        match parameter.source:
            case Values(values):
                return evolve(parameter, source=Values(values[:count]))
            case Range(first=low, last=high, step=step):
                return evolve(parameter, source=Range(first=low, last=min(high, low + (count - 1) * step), step=step))
            case FilesMatching() | OutputFiles() as source:
                return evolve(parameter, source=evolve(source, first=min(count, source.first or count)))
            case _:
                return parameter

    tasks = tuple(
        evolve(task, for_each=tuple(map(first, task.for_each))) if task.for_each else task for task in spec.tasks
    )
    return evolve(spec, tasks=tasks)
