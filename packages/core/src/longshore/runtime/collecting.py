"""Making the table of a task's members: a row for each that succeeded, and beside it the others, each with its reason.

Equal members give equal tables, byte by byte, and making one twice changes nothing; so a run that was killed meanwhile
makes it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile

from attrs import frozen

from longshore.errors import InputMissing, LongshoreError, Problem
from longshore.model.artifact import Artifact
from longshore.model.events import AttemptEnded, InputsFailed, TableMade
from longshore.model.lease_events import TasksRefused
from longshore.model.outcome import FailureClass, describe_outcome
from longshore.model.task import ERRORS_TABLE, Collect, TaskSpec
from longshore.remote.digest import digest_file
from longshore.remote.store import put_file, remove_tree
from longshore.runtime.history import RunReader
from longshore.runtime.member_rows import MOST_COLUMNS, NoRow, Row, Written, read_file, read_result
from longshore.runtime.results import deliver
from longshore.runtime.tables import Spool, lacking, write_csv, write_table
from longshore.scheduler.state import DONE, RunState, TaskPhase, TaskState

__all__ = ["Collecting", "Member", "members_of", "table_clashes", "unmakeable"]

_ERROR_COLUMNS = ("state", "class", "reason")
_OWN = "output."
"""Before the name of a member's value that is called like a parameter, whose column is there already."""
_LONGEST_REASON = 500
_WITHOUT_REASON: Mapping[TaskPhase, str] = {
    TaskPhase.CANCELLED: "it was cancelled",
    TaskPhase.SKIPPED: "something that it waits for did not succeed",
    TaskPhase.WAITING: "the run ended before it began",
}


@frozen(kw_only=True)
class Member:
    """What is to be known of a member to make its row."""

    task: str
    params: tuple[tuple[str, str], ...]
    phase: TaskPhase
    failure: FailureClass | None
    source: Artifact | None
    """The output that holds its row."""
    result: str | None


@frozen(kw_only=True)
class _Failed:
    """A member that has no row."""

    member: Member
    failure: str
    reason: str


class Collecting:
    """Makes the tables of one run. Any thread may call `make`."""

    def __init__(self, *, store: Path, results: Path, run_folder: Path, post: Callable[..., None]) -> None:
        self._store = store
        self._results = results
        self._run_folder = run_folder
        self._post = post

    def make(self, spec: TaskSpec, edition: int, members: Sequence[Member]) -> None:
        """Make a table, bring it to the results folder, and tell."""
        assert spec.collect is not None
        workshop = self._run_folder / f"collecting-{spec.name}.{edition}"
        try:
            remove_tree(str(workshop))
            workshop.mkdir()
            event = self._made(spec, edition, members, workshop)
            remove_tree(str(workshop))
        except (LongshoreError, OSError, sqlite3.Error) as error:
            problem = f"the table {spec.collect.into} of {spec.name} could not be made: {error}"
            event = TableMade(at=datetime.now(UTC), name=spec.name, edition=edition, table=(), problem=problem)
        self._post(event)

    def _made(self, spec: TaskSpec, edition: int, members: Sequence[Member], workshop: Path) -> TableMade:
        assert spec.collect is not None
        into, parameters = spec.collect.into, _parameters(spec)
        with TemporaryFile("w+", encoding="ascii", dir=workshop) as file:
            spool = Spool(file)
            spool.add_columns(parameters)
            failed = self._gathered(spec.collect, members, spool)
            write_table(workshop / into, spool)
        write_csv(workshop / ERRORS_TABLE, ["task", *parameters, *_ERROR_COLUMNS], _error_rows(failed, parameters))
        table = tuple(self._kept(workshop / name) for name in (into, ERRORS_TABLE))
        deliver(self._store, table, self._results / spec.name)
        lacking = sum(each.member.phase in DONE for each in failed)
        problem = (
            f"the table {into} of {spec.name} lacks {lacking:,} of its members that succeeded: "
            f"{self._results / spec.name / ERRORS_TABLE} says which, and why"
        )
        return TableMade(
            at=datetime.now(UTC),
            name=spec.name,
            edition=edition,
            table=table,
            rows=spool.rows,
            errors=len(failed),
            problem=problem if lacking else "",
        )

    def _gathered(self, collect: Collect, members: Sequence[Member], spool: Spool) -> list[_Failed]:
        """Put the rows of members into a table; give those that have none."""
        reasons = _reasons(RunReader(self._run_folder), {each.task for each in members if each.phase not in DONE})
        failed: list[_Failed] = []
        for member in members:
            if member.phase not in DONE:
                failed.append(_why(member, reasons))
                continue
            try:
                spool.add(_fitting(_row(member, collect, self._store), spool))
            except NoRow as error:
                failed.append(_Failed(member=member, failure=FailureClass.USER_CODE.value, reason=str(error)))
            except InputMissing as error:
                failed.append(_Failed(member=member, failure=FailureClass.STAGING.value, reason=str(error)))
        return failed

    def _kept(self, path: Path) -> Artifact:
        sha256, size = digest_file(str(path))
        put_file(str(self._store), str(path), sha256, size)
        return Artifact(path=path.name, sha256=sha256, size=size)


def members_of(state: RunState, name: str) -> list[Member]:
    """List the members of a task in their order; for the thread that owns the state."""
    group = state.groups[name]
    assert group.spec.collect is not None
    source = group.spec.collect.source
    return [_member(state.tasks[task], source) for task in group.members.values()]


def _member(task: TaskState, source: str) -> Member:
    return Member(
        task=task.task.id,
        params=task.task.params,
        phase=task.phase,
        failure=task.failure,
        source=next((each for each in task.outputs if each.path == source), None),
        result=task.result,
    )


def unmakeable(spec: TaskSpec, members: Container[str]) -> Iterator[Problem]:
    """Say why the table of a task could never be made: for want of a library, or since a member is in its place."""
    library = lacking(spec.collect.into) if spec.collect is not None else ""
    if spec.collect is not None and library:
        yield Problem(
            place="",
            key=f"tasks.{spec.name}.collect",
            message=f"{spec.collect.into!r} is written by {library}, which is not installed",
            remedy="`pip install 'longshore-core[parquet]'`, or collect into a .csv or .sqlite file",
        )
    yield from table_clashes(spec, members)


def table_clashes(spec: TaskSpec, members: Container[str]) -> Iterator[Problem]:
    """Find members whose folder would be called as a table that lies beside it."""
    for table in () if spec.collect is None else (spec.collect.into, ERRORS_TABLE):
        if table in members:
            yield Problem(
                place="",
                key=f"tasks.{spec.name}.collect",
                message=f"{spec.name} has a member {table!r}, and a table of the same name would lie beside it",
                remedy="call the table otherwise, or the member",
            )


def _parameters(spec: TaskSpec) -> list[str]:
    return [*(each.name for each in spec.for_each), *(["repeat"] if spec.repeat is not None else [])]


def _row(member: Member, collect: Collect, store: Path) -> Row:
    if not collect.source:
        own = read_result(member.result)
    elif member.source is None:
        raise NoRow(f"it has no output {collect.source}")
    else:
        try:
            own = read_file(store, member.source, collect.encoding)
        except OSError as error:
            raise InputMissing(f"{collect.source} is no longer in the cache: {error.strerror}") from error
    row: Row = {name: Written(value) for name, value in member.params}
    for name, value in own.items():
        column = name
        while column in row or (column != name and column in own):
            column = f"{_OWN}{column}"
        row[column] = value
    return row


def _fitting(row: Row, spool: Spool) -> Row:
    more = len(row.keys() - spool.columns.keys())
    if len(spool.columns) + more > MOST_COLUMNS:
        raise NoRow(f"with its {len(row):,} values the table would have more than {MOST_COLUMNS:,} columns")
    return row


def _why(member: Member, reasons: Mapping[str, str]) -> _Failed:
    failure = member.failure.value if member.failure is not None else ""
    reason = _WITHOUT_REASON.get(member.phase) or reasons.get(member.task, failure)
    return _Failed(member=member, failure=failure, reason=reason)


def _error_rows(failed: Iterable[_Failed], parameters: Sequence[str]) -> Iterator[list[str]]:
    for each in failed:
        values = dict(each.member.params)
        given = [values.get(name, "") for name in parameters]
        yield [each.member.task, *given, each.member.phase.value, each.failure, each.reason]


def _reasons(reader: RunReader, tasks: set[str]) -> dict[str, str]:
    """Read from the journal, in one line each, why tasks did not succeed: what was said last."""
    said: dict[str, tuple[int, str]] = {}

    def say(seq: int, task: str, reason: str) -> None:
        if task in tasks and seq > said.get(task, (0, ""))[0]:
            said[task] = seq, reason

    for kind in ("AttemptEnded", "InputsFailed", "TasksRefused") if tasks else ():
        for seq, event in reader.events(kind=kind):
            match event:
                case AttemptEnded(task=task) if event.failure is not None:
                    say(seq, task, _in_words(event))
                case InputsFailed(task=task, reason=reason):
                    say(seq, task, reason)
                case TasksRefused(tasks=names, reason=reason):
                    for task in names:
                        say(seq, task, reason)
                case _:
                    pass
    return {task: " ".join(reason.split())[:_LONGEST_REASON] for task, (_, reason) in said.items()}


def _in_words(event: AttemptEnded) -> str:
    outcome = describe_outcome(event.outcome)
    proof = [line.strip() for line in event.evidence.splitlines() if line.strip()]
    return outcome if not proof or proof[-1] == outcome else f"{outcome}: {proof[-1]}"
