"""From tasks as written to the tasks of a run: members of ``for_each``, and who waits for whom.

Everything here is iterative and linear in what it returns, so that a chain of 10,000 and a fan of 100,000 are as good
as a diamond.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from longshore.model.names import file_safe, member_name
from longshore.model.task import ColumnsOf, OutputFiles, OutputLines, Range, Reference, Task, TaskSpec, Values

__all__ = ["count_members", "depths", "expand", "member_of", "producers", "source_references", "substitute"]

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_LONGEST_ID = 200
UNMADE = "*"
"""The member of the one task that stands for members which are not known yet."""


def expand(spec: TaskSpec, made: Sequence[Sequence[str]] | None = None) -> list[Task]:
    """Turn a task as written into the tasks of a run, in the order of its values.

    ``made`` gives the values of parameters that an earlier task's outputs give, one sequence for each parameter in
    order. Without them such a task expands to one placeholder ``fit[*]``, which waits for that earlier task.

    Raises:
        ValueError: when a source still has to be read from the project's files.
    """
    if not spec.expands:
        return [Task(id=spec.name, spec=spec, params=spec.params)]
    names = [parameter.name for parameter in spec.for_each]
    columns = [list(values) for values in made] if made is not None else _columns(spec)
    if columns is None:
        return [Task(id=f"{spec.name}[{UNMADE}]", spec=spec, params=spec.params, member=UNMADE)]
    if spec.repeat is not None:
        names.append("repeat")
        columns.append([str(number) for number in range(1, spec.repeat + 1)])
    if any(isinstance(parameter.source, ColumnsOf) for parameter in spec.for_each):
        return [_member(spec, params, problem) for params, problem in _dependent(spec, names, columns)]
    if len(names) == 1:
        name = names[0]
        return [_member(spec, ((name, value),)) for value in columns[0]]
    return [_member(spec, tuple(zip(names, values, strict=True))) for values in itertools.product(*columns)]


def count_members(spec: TaskSpec, made: Sequence[Sequence[str]] | None = None) -> int | None:
    """Say how many tasks `expand` gives, without making them where nothing depends on anything; None while that is
    not known.

    Raises:
        ValueError: as `expand` does.
    """
    if not spec.expands:
        return 1
    columns = made if made is not None else _columns(spec)
    if columns is None:
        return None
    if any(isinstance(parameter.source, ColumnsOf) for parameter in spec.for_each):
        return len(expand(spec, made))
    return math.prod(map(len, columns)) * (spec.repeat or 1)


def _dependent(
    spec: TaskSpec, names: Sequence[str], columns: Sequence[Sequence[str]]
) -> list[tuple[tuple[tuple[str, str], ...], str]]:
    """Combine values where some parameters have others for each value of another one; with why a member cannot run."""
    rows: list[tuple[tuple[tuple[str, str], ...], str]] = [((), "")]
    for number, name in enumerate(names):
        source = spec.for_each[number].source if number < len(spec.for_each) else None
        if not isinstance(source, ColumnsOf):
            rows = [((*row, (name, value)), problem) for row, problem in rows for value in columns[number]]
            continue
        of = names.index(source.parameter)
        found = source.found or dict(zip(columns[of], map(_found, columns[number]), strict=True))
        wider = []
        for row, problem in rows:
            values = found[row[of][1]]
            if isinstance(values, str):
                wider.append(((*row, (name, "")), problem or values))
            else:
                wider += [((*row, (name, value)), problem) for value in values]
        rows = wider
    return rows


def _found(text: str) -> tuple[str, ...] | str:
    """Read what `MembersMade` has in the place of a value: the columns of one file, or why there is none."""
    read = json.loads(text)
    return read if isinstance(read, str) else tuple(read)


def _columns(spec: TaskSpec) -> list[list[str]] | None:
    """List the values of each parameter; None when an earlier task has yet to give some."""
    columns: list[list[str]] = []
    for parameter in spec.for_each:
        match parameter.source:
            case Values(values):
                columns.append(list(values))
            case Range(first=first, last=last, step=step):
                columns.append([str(number) for number in range(first, last + 1, step)])
            case OutputLines() | OutputFiles() | ColumnsOf(found=None):
                return None
            case ColumnsOf():
                columns.append([])
            case source:
                raise ValueError(f"the values of {parameter.name} in task {spec.name} are not resolved: {source}")
    return columns


def _member(spec: TaskSpec, params: tuple[tuple[str, str], ...], problem: str = "") -> Task:
    if len(params) == 1:
        member = file_safe(params[0][1])
        label = f"{params[0][0]}={member}"
    else:
        member = member_name([value for _, value in params])
        label = ",".join(f"{name}={file_safe(value)}" for name, value in params)
    identity = f"{spec.name}[{label}]"
    if len(identity) > _LONGEST_ID:
        identity = f"{spec.name}[{member}]"
    return Task(id=identity, spec=spec, params=(*params, *spec.params), member=member, problem=problem)


def substitute(text: str, params: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Put the file-safe values of parameters into a member segment such as ``$year``; other variables stay."""
    known = dict(params)

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        return file_safe(known[name]) if name in known else match.group(0)

    return _VARIABLE.sub(value, text)


def member_of(reference: Reference, task: Task) -> str:
    """Say which member, or which glob over members, ``task`` means by a reference."""
    return substitute(reference.member, task.params) if "$" in reference.member else reference.member


def source_references(spec: TaskSpec) -> Iterator[Reference]:
    """List the outputs of earlier tasks that give values to parameters of this one."""
    for parameter in spec.for_each:
        if isinstance(parameter.source, OutputLines | OutputFiles):
            yield parameter.source.reference


def producers(spec: TaskSpec) -> set[str]:
    """Name the tasks as written that this one waits for, in this workflow."""
    read = {reference.task for reference in spec.references if not reference.workflow}
    read.update(reference.task for reference in source_references(spec) if not reference.workflow)
    read.update(spec.after)
    return read


def matching(members: Mapping[str, object], pattern: str) -> list[str] | None:
    """List the members that a glob means; None when it means all of them."""
    if pattern == "*":
        return None
    if not any(char in pattern for char in "*?["):
        return [pattern] if pattern in members else []
    found = fnmatch.filter(members, pattern)
    return None if len(found) == len(members) else found


def depths(specs: Iterable[TaskSpec]) -> dict[str, int]:
    """Say for each task as written how many tasks the longest path from it to an end has, itself included."""
    depth: dict[str, int] = {}
    waits: dict[str, set[str]] = {}
    for spec in specs:
        depth[spec.name] = 1
        if spec.references or spec.after or spec.for_each:
            waits[spec.name] = producers(spec)
    readers = Counter(name for read in waits.values() for name in read if name in depth)
    # Most of 100,000 tasks wait for nothing, and so nothing follows from their depth.
    ready = [name for name in waits if not readers[name]]
    while ready:
        name = ready.pop()
        for producer in waits.get(name, ()):
            if producer in depth:
                depth[producer] = max(depth[producer], depth[name] + 1)
                readers[producer] -= 1
                if readers[producer] == 0:
                    ready.append(producer)
    return depth
