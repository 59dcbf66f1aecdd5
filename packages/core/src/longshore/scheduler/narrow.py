"""A part of a workflow: only some tasks with what they read, or only the first members of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import evolve

from longshore.errors import UsageError
from longshore.model.names import near
from longshore.model.task import ColumnsOf, FilesMatching, OutputFiles, Parameter, Range, Values
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.graph import producers

__all__ = ["first_members", "only_tasks", "only_values"]


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


def only_values(spec: WorkflowSpec, chosen: Mapping[str, str]) -> WorkflowSpec:
    """Keep only these values of parameters, in every task that has such a parameter; ranges and files are read before.

    Raises:
        UsageError: when none of these tasks has the value, or it is found in files of which each may have others.
    """
    tasks = list(spec.tasks)
    for name, value in chosen.items():
        others: list[str] = []
        found = False
        for number, task in enumerate(tasks):
            for place, parameter in enumerate(task.for_each):
                if parameter.name != name:
                    continue
                if not isinstance(parameter.source, Values):
                    raise UsageError(
                        f"-P {name}={value}: the values of {name!r} are found in files, and none can be chosen here"
                    )
                if value not in parameter.source.values:
                    others += parameter.source.values
                    continue
                found = True
                one = evolve(parameter, source=Values((value,)))
                tasks[number] = evolve(task, for_each=(*task.for_each[:place], one, *task.for_each[place + 1 :]))
        if not found:
            close = near(value, others)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(others[:5])}, ..."
            raise UsageError(f"-P {name}={value}: {name!r} has no such value; {hint}")
    return evolve(spec, tasks=tuple(tasks))


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
            case ColumnsOf(found=found) as source if found is not None:
                fewer = {file: each if isinstance(each, str) else each[:count] for file, each in found.items()}
                return evolve(parameter, source=evolve(source, found=fewer))
            case FilesMatching() | OutputFiles() as source:
                return evolve(parameter, source=evolve(source, first=min(count, source.first or count)))
            case _:
                return parameter

    tasks = tuple(
        evolve(task, for_each=tuple(map(first, task.for_each))) if task.for_each else task for task in spec.tasks
    )
    return evolve(spec, tasks=tasks)
