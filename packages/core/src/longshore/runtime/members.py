"""The values of ``for_each`` parameters that an earlier task's outputs give."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.config.value_lines import value_lines
from longshore.errors import InputMissing, StagingError
from longshore.model.attempt import Item
from longshore.model.task import ColumnsOf, OutputFiles, OutputLines, Range, Reference, TaskSpec, Values
from longshore.remote.store import object_path
from longshore.scheduler.graph import expand

if TYPE_CHECKING:
    from longshore.config.columns import Peek

__all__ = ["Meant", "read_values"]

Meant = Callable[[Reference], Iterable[tuple[str, Item]]]
"""Gives what a reference means, each file and folder after its path below the producer's folder."""

_MOST_MEMBERS = 1_000_000
"""More than this many members is a mistake in what was written, not a workload."""


def read_values(spec: TaskSpec, meant: Meant, store: Path) -> tuple[tuple[str, ...], ...]:
    """Give the values of each parameter of a task, in order, now that the tasks it reads them from have succeeded.

    Raises:
        InputMissing: when the output is not there.
        StagingError: when it is not text, gives a value twice or too many, or one that is called like a table.
    """
    sources = {parameter.name: parameter.source for parameter in spec.for_each}
    read: dict[str, tuple[str, ...]] = {}
    for name, source in sources.items():
        if isinstance(source, ColumnsOf):
            found = source.found
            if found is None:
                from longshore.config.columns import find_columns  # noqa: PLC0415  few workflows ask for columns

                found = find_columns(
                    source, read[source.parameter], _beginnings(sources[source.parameter], meant, store)
                )
            read[name] = tuple(json.dumps(found[file]) for file in read[source.parameter])
        else:
            read[name] = _values(source, meant, store, f"{spec.name}.{name}")
    values = tuple(read.values())
    if spec.collect is not None:
        from longshore.runtime.collecting import table_clashes  # noqa: PLC0415  most runs collect nothing

        clash = next(table_clashes(spec, {task.member for task in expand(spec, values)}), None)
        if clash is not None:
            raise StagingError(f"{clash.message}; {clash.remedy}")
    return values


def _values(source: object, meant: Meant, store: Path, where: str) -> tuple[str, ...]:
    match source:
        case Values(values):
            return values
        case Range(first=first, last=last, step=step):
            return tuple(map(str, range(first, last + 1, step)))
        case OutputLines(reference):
            return _unique(_lines(_found(reference, meant), store, where), where)
        case OutputFiles(reference=reference, first=first):
            return _unique(sorted(path for path, _ in _found(reference, meant))[:first], where)
        case _:
            raise StagingError(f"{where}: its values were not read before the run began")


def _beginnings(source: object, meant: Meant, store: Path) -> Peek:
    """Give what reads the beginnings of an earlier task's outputs, by the values that they make."""
    assert isinstance(source, OutputFiles), "other sources are read before the run began"
    items = {path: item for path, item in _found(source.reference, meant) if item.kind == "file"}

    def peek(path: str, most: int) -> bytes:
        if path not in items:
            raise InputMissing("it is a folder")
        with Path(object_path(str(store), items[path].sha256)).open("rb") as file:
            return file.read(most)

    return peek


def _found(reference: Reference, meant: Meant) -> list[tuple[str, Item]]:
    found = list(meant(reference))
    if not found and not reference.glob:
        raise InputMissing(f"{reference} was not written")
    return found


def _lines(files: Sequence[tuple[str, Item]], store: Path, where: str) -> list[str]:
    lines: list[str] = []
    for path, item in files:
        if item.kind == "folder":
            raise StagingError(f"{where}: {path} is a folder and has no lines; name a file in it")
        try:
            lines += [value for _, value in value_lines(Path(object_path(str(store), item.sha256)))]
        except ValueError as error:
            raise StagingError(f"{where}: {path} {error}; one value per line") from error
        except FileNotFoundError as error:
            raise InputMissing(f"{where}: {path} is no longer in the cache; run its task again") from error
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
