"""What a task is, as it was written and as it is run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from attrs import field, frozen
from attrs.validators import ge, min_len, optional

from longshore.model.command import Command
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy

__all__ = [
    "ERRORS_TABLE",
    "Collect",
    "ColumnsOf",
    "FileInput",
    "FilesMatching",
    "Input",
    "LinesOf",
    "OutputFiles",
    "OutputLines",
    "Parameter",
    "Range",
    "Reference",
    "Secret",
    "Source",
    "Task",
    "TaskSpec",
    "UrlInput",
    "Values",
]


@frozen(kw_only=True)
class Reference:
    """``workflow://<workflow>/<task>/<member>/<path>``: another task's output, read by this one."""

    task: str
    path: str
    """Path or glob below the producer's folder; ``**`` when only the shell will know, then all of its outputs are
    meant.
    """
    member: str = ""
    """For a producer with ``for_each``: a member, a glob over members, or this task's own parameters as in ``$year``;
    else empty. With an empty one ``path`` is the table of such a producer.
    """
    workflow: str = ""
    """Name of another workflow of the project; empty for this one."""
    glob: bool = False
    argument: int = -1
    """Which argument of an `Argv` holds it; -1 when it stands in shell text or only in ``inputs``."""
    start: int = -1
    """Where it begins in the text that holds it; -1 when it stands in no command."""
    prefix_end: int = -1
    """Where ``workflow://<workflow>/<task>/`` ends; with a member made of parameters, where that segment ends."""

    def __str__(self) -> str:
        parts = [self.workflow, self.task, *([self.member] if self.member else []), self.path]
        return "workflow://" + "/".join(parts)


@frozen
class FileInput:
    """A file, folder or glob of the project, by its path relative to the workflow file."""

    path: str
    guessed: bool = False
    """Found as a plain word of the command, not named in ``inputs``."""


@frozen
class UrlInput:
    """An object in a bucket or on the web, fetched by a store plugin."""

    url: str


Input = FileInput | UrlInput | Reference


@frozen
class Values:
    """Parameter values as they are written, or as they were found."""

    values: tuple[str, ...]


@frozen(kw_only=True)
class Range:
    """Whole numbers from ``first`` to ``last``, both included."""

    first: int
    last: int
    step: int = field(default=1, validator=ge(1))


@frozen(kw_only=True)
class FilesMatching:
    """The project's files that match a glob, sorted; only the first ``first`` of them when that is given."""

    glob: str
    first: int | None = field(default=None, validator=optional(ge(1)))


@frozen
class LinesOf:
    """The lines of a project file that are not blank."""

    path: str


@frozen
class OutputLines:
    """The lines that are not blank of what an earlier task wrote; known only when it has succeeded."""

    reference: Reference


@frozen(kw_only=True)
class OutputFiles:
    """The outputs of an earlier task that match a glob; known only when it has succeeded."""

    reference: Reference
    first: int | None = field(default=None, validator=optional(ge(1)))


def _frozen_columns(
    found: Mapping[str, tuple[str, ...] | str] | None,
) -> Mapping[str, tuple[str, ...] | str] | None:
    return None if found is None else MappingProxyType(dict(found))


@frozen(kw_only=True)
class ColumnsOf:
    """The columns of the CSV file that another parameter of the same task names. A file without any makes one task,
    with an empty value, which fails and says why.
    """

    parameter: str
    """Stands before this one."""
    matching: str
    """Is found in the names that are wanted, as `re.search` does."""
    encoding: str = "utf-8"
    found: Mapping[str, tuple[str, ...] | str] | None = field(default=None, converter=_frozen_columns)
    """For each value of that parameter the columns, or why there is none; None as long as nobody has looked."""


Source = Values | Range | FilesMatching | LinesOf | OutputLines | OutputFiles | ColumnsOf


@frozen
class Parameter:
    """One dimension of a ``for_each``: a name and where its values come from."""

    name: str
    source: Source


@frozen
class Secret:
    """Where a file for one task's eyes comes from: a file of this computer, or an environment variable. Never its
    content.
    """

    file: str = ""
    variable: str = ""


ERRORS_TABLE = "errors.csv"
"""The table beside a collected one: the members that have no row there, and why."""


@frozen(kw_only=True)
class Collect:
    """One table of what the members of a task give, one row a member."""

    into: str
    """The table's file name; its suffix says the format."""
    source: str = ""
    """The output that holds a member's row, JSON or CSV by its suffix; empty for what a Python call returns."""
    encoding: str = "utf-8"
    """Of the source."""


# Two functions and not a generic one, since mypy's attrs plugin cannot tell the type of a generic converter.
def _frozen_texts(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping)) if mapping else _NOTHING


def _frozen_secrets(mapping: Mapping[str, Secret]) -> Mapping[str, Secret]:
    return MappingProxyType(dict(mapping)) if mapping else _NO_SECRETS


_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_SECRETS: Mapping[str, Secret] = MappingProxyType({})


@frozen(kw_only=True)
class TaskSpec:
    """A task as it was written: with ``for_each`` or ``repeat`` it stands for many `Task`.

    The command is kept as written; `Task.command` is what is executed.
    """

    name: str = field(validator=min_len(1))
    command: Command
    references: tuple[Reference, ...] = ()
    """All that it reads of other tasks, from the command and from ``inputs``."""
    inputs: tuple[FileInput | UrlInput, ...] = ()
    outputs: tuple[str, ...] = ()
    """Files, folders (with a slash at the end) and globs that must be there when the command has ended, relative to the
    workdir.
    """
    needs: Resources = Resources()
    environment: str | None = None
    pool: str | None = None
    retry: RetryPolicy = RetryPolicy()
    timeout: timedelta | None = None
    grace: timedelta = timedelta(seconds=5)
    """Between SIGTERM and SIGKILL."""
    warn: bool = False
    """Send SIGTERM when the machine is about to be taken away, and let it end by itself."""
    after: tuple[str, ...] = ()
    """Names of tasks that must have succeeded first, though nothing is read of them."""
    env: Mapping[str, str] = field(default=_NOTHING, converter=_frozen_texts)
    secrets: Mapping[str, Secret] = field(default=_NO_SECRETS, converter=_frozen_secrets)
    keep: bool = False
    """Bring the outputs home although other tasks read them."""
    results_to: str = ""
    """URL below which the outputs are put too when they have come home; empty for nowhere else."""
    for_each: tuple[Parameter, ...] = ()
    repeat: int | None = field(default=None, validator=optional(ge(1)))
    params: tuple[tuple[str, str], ...] = ()
    """The workflow's parameters that it uses, with their values: every member has them beside its own."""
    collect: Collect | None = None
    """Gather what the members give in one table; of a task that expands only."""
    priority: int = 0
    """Higher goes first among tasks that are ready; within one value the longest path to the end decides."""

    @property
    def expands(self) -> bool:
        """Whether this stands for many tasks."""
        return bool(self.for_each) or self.repeat is not None


@frozen(eq=False)
class Task:
    """One task of a run: what was written, with one value for each parameter."""

    id: str
    """``fit``, or ``fit[year=2001]``; safe as a file name."""
    spec: TaskSpec
    params: tuple[tuple[str, str], ...] = ()
    member: str = ""
    """The name of its folder among its siblings, as in ``2001``; empty for a task that stands alone."""
    problem: str = ""
    """Why it cannot run, whatever else is there; empty when it can."""

    @property
    def folder(self) -> str:
        """Where its outputs are found below ``in/`` of a reader and below ``results/<run>/``."""
        return f"{self.spec.name}/{self.member}" if self.member else self.spec.name
