"""All that a report tells of one run, read from its journal once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from attrs import evolve, field, frozen

from longshore.model.events import MembersMade, TasksAdded
from longshore.model.task import Task, TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.attempt_rows import AttemptRow, RestRow, read_attempts, read_rests
from longshore.runtime.fleet_rows import BuildRow, LeaseRow, MachineRow, read_builds, read_leases, read_machines
from longshore.runtime.history import RunInfo, RunReader, TaskInfo
from longshore.runtime.output_rows import MoveRow, OutputRow, read_moves, read_outputs, read_refusals
from longshore.scheduler.graph import expand
from longshore_cli.report.figures import Figures, figure, last_known

__all__ = ["Record", "read_record", "written_name"]


@frozen(kw_only=True, slots=False)
class Record:
    """A run as rows."""

    info: RunInfo
    workflow: WorkflowSpec
    """As the run began with it, and with the tasks that joined later."""
    tasks: tuple[Task, ...]
    """All of them, also those to which nothing has happened, in the order of the workflow."""
    stands: Mapping[str, TaskInfo]
    """Where the tasks stand to which something has happened."""
    attempts: tuple[AttemptRow, ...]
    rests: tuple[RestRow, ...]
    builds: tuple[BuildRow, ...]
    machines: tuple[MachineRow, ...]
    leases: tuple[LeaseRow, ...]
    moves: tuple[MoveRow, ...]
    outputs: tuple[OutputRow, ...]
    refusals: Mapping[str, str] = field(factory=dict[str, str])
    """Why tasks could not begin."""

    @property
    def began(self) -> float:
        """When the run began, in seconds since 1970."""
        return self.info.started.timestamp()

    @property
    def ended(self) -> float:
        """When it ended, or the last that is known of it."""
        return last_known(self.info, self.attempts)

    @cached_property
    def figures(self) -> Figures:
        """The figures of the run."""
        return figure(self.info, self.attempts, self.rests, self.leases)

    @cached_property
    def by_task(self) -> Mapping[str, list[AttemptRow]]:
        """The attempts of each task that had any, in their order."""
        return _grouped(self.attempts, lambda each: each.task)

    @cached_property
    def by_machine(self) -> Mapping[str, list[AttemptRow]]:
        """The attempts on each machine that had any, in their order."""
        return _grouped(self.attempts, lambda each: each.machine)

    def phase(self, task: str) -> str:
        """Say where a task stands."""
        known = self.stands.get(task)
        return known.phase if known is not None else "waiting"

    @cached_property
    def specs(self) -> Mapping[str, TaskSpec]:
        """The tasks as written, by their names."""
        return {spec.name: spec for spec in self.workflow.tasks}

    @cached_property
    def pools(self) -> Mapping[str, str]:
        """The pool of each machine."""
        return {each.machine: each.pool for each in self.machines}


def _grouped(attempts: Iterable[AttemptRow], key: Callable[[AttemptRow], str]) -> dict[str, list[AttemptRow]]:
    groups: dict[str, list[AttemptRow]] = {}
    for each in attempts:
        groups.setdefault(key(each), []).append(each)
    return groups


def written_name(task: str) -> str:
    """Give the name under which a task was written, from its id."""
    return task.partition("[")[0]


def read_record(reader: RunReader) -> Record:
    """Read a run, live or over.

    Raises:
        JournalError: when the journal is damaged, or a newer version wrote it.
    """
    joined = [event for _, event in reader.events(kind="TasksAdded") if isinstance(event, TasksAdded)]
    workflow = reader.workflow()
    workflow = evolve(workflow, tasks=(*workflow.tasks, *(spec for event in joined for spec in event.tasks)))
    made = {
        event.name: event.values for _, event in reader.events(kind="MembersMade") if isinstance(event, MembersMade)
    }
    return Record(
        info=reader.info(),
        workflow=workflow,
        tasks=tuple(task for spec in workflow.tasks for task in expand(spec, made.get(spec.name))),
        stands={task.id: task for task in reader.tasks()},
        attempts=tuple(read_attempts(reader)),
        rests=tuple(read_rests(reader)),
        builds=tuple(read_builds(reader)),
        machines=tuple(read_machines(reader)),
        leases=tuple(read_leases(reader)),
        moves=tuple(read_moves(reader)),
        outputs=tuple(read_outputs(reader)),
        refusals=read_refusals(reader),
    )
