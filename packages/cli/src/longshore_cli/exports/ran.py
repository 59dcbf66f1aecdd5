"""What an export tells of a run: its tasks with what each read and wrote, by digest, and who waited for whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from attrs import field, frozen

from longshore.model.artifact import Artifact
from longshore.model.command import Argv, Call, Command, Shell
from longshore.runtime.attempt_rows import AttemptRow
from longshore.runtime.cache import Cache
from longshore.runtime.durations import recorded
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.scheduler.building import waits_of
from longshore.scheduler.state import RunState, TaskState
from longshore_cli.report.record import Record, read_record

__all__ = ["Ran", "RanTask", "command_words", "moment", "produced", "read_ran"]

_PRODUCED = "in/"


@frozen(kw_only=True)
class RanTask:
    """One task of a run."""

    id: str
    name: str
    """The task as written."""
    folder: str
    """Where its outputs lie in the results."""
    params: Mapping[str, str]
    command: Command
    phase: str
    parents: tuple[str, ...]
    """Ids of the tasks that it waited for."""
    outputs: tuple[Artifact, ...]
    inputs: Mapping[str, str] = field(factory=dict[str, str])
    """Digests of the project's files that it read, by path, as far as they are known."""
    read: tuple[str, ...] = ()
    """What it read of other tasks: their folders and the paths in them."""
    attempt: AttemptRow | None = None
    """The one that it ended with; None when it did not run here."""
    seconds: float | None = None
    """How long that took; of a task that was up to date, how long it took when it ran."""
    cpus: float = 1.0

    @property
    def done(self) -> bool:
        """Whether it has succeeded, here or before."""
        return self.phase in {"succeeded", "up to date"}


@frozen(kw_only=True)
class Ran:
    """A run and its tasks, in the order of the workflow."""

    record: Record
    tasks: tuple[RanTask, ...]
    tables: tuple[tuple[str, Artifact], ...]
    """What members were collected into: the task as written, and the table."""


def read_ran(project: Project, reader: RunReader) -> Ran:
    """Read a run, live or over."""
    record, state = read_record(reader), reader.replay()
    cache = Cache(project.store)
    try:
        known = cache.look_up([task.identity for task in state.tasks.values() if task.identity])
    finally:
        cache.close()
    parts = {identity: success.parts for identity, success in known.items()}
    before = recorded(project, record.info.workflow).seconds
    tasks = tuple(_task(state, task, record, parts.get(task.identity, "{}"), before) for task in state.tasks.values())
    tables = tuple((name, table) for name, group in state.groups.items() for table in group.table)
    return Ran(record=record, tasks=tasks, tables=tables)


def _task(state: RunState, task: TaskState, record: Record, parts: str, before: Mapping[str, float]) -> RanTask:
    name, spec = task.task.id, task.task.spec
    attempts = record.by_task.get(name, [])
    last = attempts[-1] if attempts else None
    inputs: Mapping[str, str] = json.loads(parts).get("inputs", {})
    waited = {
        each
        for producer, group in waits_of(state, task.task)
        for each in ([producer] if producer is not None else state.groups[group].members.values())
        if each in state.tasks
    }
    return RanTask(
        id=name,
        name=spec.name,
        folder=task.task.folder,
        params=dict(task.task.params),
        command=spec.command,
        phase=task.phase.value,
        parents=tuple(sorted(waited, key=lambda each: state.tasks[each].view.order)),
        outputs=task.outputs,
        inputs={path: said.split()[0] for path, said in inputs.items() if _is_own(path)},
        read=tuple(path.removeprefix(_PRODUCED) for path in inputs if path.startswith(_PRODUCED)),
        attempt=last,
        seconds=before.get(name) if last is None else last.seconds,
        cpus=spec.needs.cpus,
    )


def _is_own(path: str) -> bool:
    """Say whether an input is a file of the project: no other task's, and no summary of many."""
    return not path.startswith(_PRODUCED) and "://" not in path


def command_words(command: Command) -> tuple[str, ...]:
    """Give a command as a program and its arguments."""
    match command:
        case Shell(text):
            return ("sh", "-c", text)
        case Argv(args):
            return args
        case Call(function=function, arguments=arguments):
            return ("python", "-m", function, arguments)


def moment(seconds: float) -> str:
    """Write a moment as ISO 8601 has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def produced(ran: Ran) -> Iterator[tuple[str, Artifact]]:
    """List all outputs with the folder of their task."""
    for task in ran.tasks:
        for output in task.outputs:
            yield task.folder, output
    yield from ran.tables
