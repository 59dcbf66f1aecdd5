"""The values of ``for_each`` parameters that an earlier task's outputs give."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from longshore.errors import InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.model.task import OutputFiles, OutputLines, Range, Reference, TaskSpec, Values
from longshore.scheduler.graph import matching
from longshore.scheduler.state import RunState

__all__ = ["read_values"]

_MOST_MEMBERS = 1_000_000
"""More than this many members is a mistake in what was written, not a workload."""


def read_values(spec: TaskSpec, state: RunState, store: Path) -> tuple[tuple[str, ...], ...]:
    """Give the values of each parameter of a task, in order, now that the tasks it reads them from have succeeded.

    Raises:
        InputMissing: when the output is not there.
        StagingError: when it is not text, gives a value twice, or gives too many.
    """
    return tuple(_values(parameter.source, state, store, f"{spec.name}.{parameter.name}") for parameter in spec.for_each)


def _values(source: object, state: RunState, store: Path, where: str) -> tuple[str, ...]:
    match source:
        case Values(values):
            return values
        case Range(first=first, last=last, step=step):
            return tuple(map(str, range(first, last + 1, step)))
        case OutputLines(reference):
            return _unique(_lines(_chosen(reference, state), store, where), where)
        case OutputFiles(reference=reference, first=first):
            return _unique(sorted(artifact.path for artifact in _chosen(reference, state))[:first], where)
        case _:
            raise StagingError(f"{where}: its values were not read before the run began")


def _chosen(reference: Reference, state: RunState) -> list[Artifact]:
    group = state.groups[reference.task]
    names = matching(group.members, reference.member) if reference.member else None
    tasks = group.members.values() if names is None else [group.members[name] for name in names]
    found = [
        artifact
        for task in tasks
        for artifact in state.tasks[task].outputs
        if artifact.path == reference.path or fnmatch.fnmatchcase(artifact.path, reference.path)
    ]
    if not found and not reference.glob:
        raise InputMissing(f"{reference} was not written")
    return found


def _lines(artifacts: Sequence[Artifact], store: Path, where: str) -> list[str]:
    lines: list[str] = []
    for artifact in artifacts:
        path = store / "objects" / artifact.sha256[:2] / artifact.sha256
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise StagingError(f"{where}: {artifact.path} is not UTF-8 text: {error}") from error
        except FileNotFoundError as error:
            raise InputMissing(f"{where}: {artifact.path} is no longer in the cache; run its task again") from error
        lines += [line.strip() for line in text.splitlines() if line.strip()]
    return lines


def _unique(values: Sequence[str], where: str) -> tuple[str, ...]:
    if len(values) > _MOST_MEMBERS:
        raise StagingError(f"{where}: {len(values)} values; {_MOST_MEMBERS} are the most")
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise StagingError(f"{where}: the value {value!r} comes twice")
        seen.add(value)
    return tuple(values)
