"""What stands in the project's files, values of ``for_each`` and environments: read once, before a run, so that its
journal has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attrs import evolve

from longshore.config.for_each import check_count
from longshore.config.problems import Key, Places, Problems, wrong
from longshore.config.project_files import ProjectFiles
from longshore.config.urls import host_of, is_url, path_of
from longshore.config.value_lines import value_lines
from longshore.errors import InputMissing, LongshoreError
from longshore.model.names import clean_relative
from longshore.model.task import ColumnsOf, FilesMatching, LinesOf, Parameter, Range, TaskSpec, Values
from longshore.model.workflow import WorkflowSpec

if TYPE_CHECKING:
    from longshore.config.columns import Peek
    from longshore.model.environment import EnvironmentSpec

__all__ = ["Listing", "resolve", "resolve_environments"]


def _nowhere(_: Key) -> str:
    return ""


Listing = Callable[[str], Sequence[str]]
"""Gives the URLs that a glob means."""


def resolve(
    spec: WorkflowSpec,
    folder: Path,
    place: Places = _nowhere,
    *,
    listing: Listing | None = None,
    peek: Peek | None = None,
) -> WorkflowSpec:
    """Put the values that are there now in the place of ranges, globs and files of values, and scripts and requirements
    in the place of their files.

    What an earlier task's output gives stays as it is: it is not there yet. ``place`` says where keys were written.
    ``listing`` says what is in buckets, and ``peek`` reads the beginning of what is no file of the project.

    Raises:
        ConfigError: when a source gives no values, gives one twice, or a file cannot be read.
    """
    problems = Problems(place)
    files = ProjectFiles(folder)
    far = _Far(listing, _peek(folder, peek))
    tasks = tuple([_resolved(task, files, problems, far) if task.for_each else task for task in spec.tasks])
    environments = _environments(spec, folder, problems) if spec.environments else ()
    problems.check()
    return evolve(spec, tasks=tasks, environments=environments)


def resolve_environments(spec: WorkflowSpec, folder: Path) -> tuple[EnvironmentSpec, ...]:
    """Put what stands in the project's files now in the place of their names, in the environments alone.

    Raises:
        ConfigError: when a file cannot be read.
    """
    problems = Problems(_nowhere)
    found = _environments(spec, folder, problems)
    problems.check()
    return found


def _environments(spec: WorkflowSpec, folder: Path, problems: Problems) -> tuple[EnvironmentSpec, ...]:
    from longshore.config.environments import read_environment  # noqa: PLC0415  few workflows have any

    return tuple([read_environment(each, folder, problems) for each in spec.environments])


class _Far(NamedTuple):
    """How what is not in the project is looked at."""

    listing: Listing | None
    peek: Peek


def _resolved(task: TaskSpec, files: ProjectFiles, problems: Problems, far: _Far) -> TaskSpec:
    unread = Range | FilesMatching | LinesOf | ColumnsOf
    if not any(isinstance(parameter.source, unread) for parameter in task.for_each):
        return task
    parameters: list[Parameter] = []
    for parameter in task.for_each:
        try:
            parameters.append(
                _columns(parameter, task.for_each, parameters, far.peek) or _values(parameter, files, far.listing)
            )
        except ValueError as error:
            problems.take(("tasks", task.name, "for_each", parameter.name), error)
    try:
        check_count((parameter.source for parameter in parameters), task.repeat or 1)
    except ValueError as error:
        problems.take(("tasks", task.name, "for_each"), error)
    return evolve(task, for_each=tuple(parameters))


def _peek(folder: Path, far: Peek | None) -> Peek:
    def peek(name: str, most: int) -> bytes:
        if is_url(name):
            if far is None:
                raise InputMissing("it is no file of the project, and no store is asked here")
            return far(name, most)
        with (folder / clean_relative(name)).open("rb") as file:
            return file.read(most)

    return peek


def _columns(
    parameter: Parameter, written: Sequence[Parameter], before: Sequence[Parameter], peek: Peek
) -> Parameter | None:
    """Read the columns of the files that another parameter names; None of any other parameter, and while an earlier
    task has yet to write the files.
    """
    source = parameter.source
    if not isinstance(source, ColumnsOf) or source.found is not None:
        return None
    named = next((each.source for each in before if each.name == source.parameter), None)
    if not isinstance(named, Values):
        return None
    from longshore.config.columns import find_columns  # noqa: PLC0415  few workflows ask for columns

    names = {value: value for value in named.values}
    origin = next(each.source for each in written if each.name == source.parameter)
    if isinstance(origin, FilesMatching) and is_url(origin.glob):
        names = {value: f"{host_of(origin.glob)}/{value}" for value in named.values}
    found = find_columns(source, names.values(), peek)
    return Parameter(parameter.name, evolve(source, found={value: found[name] for value, name in names.items()}))


def _values(parameter: Parameter, files: ProjectFiles, listing: Listing | None) -> Parameter:
    match parameter.source:
        case Range(first=first, last=last, step=step):
            values = tuple(map(str, range(first, last + 1, step)))
        case FilesMatching(glob=pattern, first=first) if is_url(pattern):
            values = tuple(_objects(pattern, listing)[:first])
        case FilesMatching(glob=pattern, first=first):
            found = files.find(pattern)
            if not found:
                raise wrong(f"no file matches {pattern!r} in {files.folder}", "mend the glob, or put the files there")
            for path in found:
                clean_relative(path)
            values = tuple(found[:first])
        case LinesOf(path):
            values = _lines(path, files)
        case _:
            return parameter
    return Parameter(parameter.name, Values(values))


def _objects(glob: str, listing: Listing | None) -> Sequence[str]:
    """List the paths in their bucket of the objects that a glob means."""
    if listing is None:
        raise wrong(f"nobody here can say what {glob!r} means", "give the values themselves")
    try:
        found = [path_of(url) for url in listing(glob)]
    except LongshoreError as error:
        raise wrong(str(error), "mend the glob, or what prevents that the bucket is listed") from error
    if not found:
        raise wrong(f"no object matches {glob!r}", "mend the glob, or put the objects there")
    for path in found:
        try:
            clean = str(clean_relative(path))
        except ValueError as error:
            raise wrong(f"an object has a name that no file can have: {error}", "let the glob leave it out") from error
        if clean != path:
            raise wrong(f"an object has a name that no file can have: {path!r}", "let the glob leave it out")
    return found


def _lines(path: str, files: ProjectFiles) -> tuple[str, ...]:
    remedy = "make it a readable text, one value per line"
    try:
        lines = list(value_lines(files.folder / path))
    except FileNotFoundError:
        raise wrong(f"there is no file {path!r}", "write it, one value per line, or mend the path") from None
    except OSError as error:
        raise wrong(f"{path!r} cannot be read: {error.strerror}", remedy) from None
    except ValueError as error:
        raise wrong(f"{path!r} {error}", remedy) from None
    values: dict[str, int] = {}
    for number, value in lines:
        if value in values:
            raise wrong(
                f"the value {value!r} stands twice in {path!r}, in lines {values[value]} and {number}",
                "take one away; use repeat to run a task several times",
            )
        values[value] = number
    if not values:
        raise wrong(f"{path!r} has no lines, so there would be no task", "write one value per line")
    return tuple(values)
