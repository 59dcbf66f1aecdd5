"""A run at a glance, as whatever shows it needs it: its tasks as written, its machines, and pages of its tasks.

Read from the journal alone, so that it is the same for a run that goes on, one that is over, and a past moment. What
is asked again and again is asked by SQL for what has changed, so that 100,000 tasks can be watched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

from attrs import evolve, field, frozen

from longshore.model.events import MembersMade, TasksAdded
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.fleet_rows import BuildRow, LeaseRow, MachineRow, read_builds, read_leases, read_machines
from longshore.runtime.history import RunInfo, RunReader, TaskInfo
from longshore.runtime.lock import is_held
from longshore.scheduler.graph import count_members, expand
from longshore.scheduler.state import TaskPhase

__all__ = ["Group", "MachineNow", "Overview", "Shape", "TaskPage", "read_overview", "refreshed"]

# What happens to single tasks is ordinary; the rest changes machines, money, the shape of the workflow or the run.
_NEWS = """
    SELECT max(seq), max(at), max(kind NOT IN ('AttemptIntended', 'InputsStaged', 'AttemptStarted', 'AttemptEnded',
        'TasksIdentified', 'Moved', 'ResultsDelivered', 'InputsFailed', 'MachineResized'))
    FROM events WHERE seq > ?
"""
_GROUPS = """
    SELECT CASE instr(id, '[') WHEN 0 THEN id ELSE substr(id, 1, instr(id, '[') - 1) END, phase, count(*)
    FROM tasks GROUP BY 1, 2
"""
_BUSY = """
    SELECT machine, sum(phase IN ('staging', 'queued', 'running')), count(*) FROM tasks WHERE machine <> '' GROUP BY 1
"""


@frozen(kw_only=True)
class Group:
    """A task as written, with where its members stand."""

    name: str
    tasks: int
    phases: Mapping[str, int]
    """How many are in each phase, in the order of the phases; only what is not zero."""


@frozen(kw_only=True)
class MachineNow:
    """A machine, what it costs and what is on it."""

    row: MachineRow
    lease: LeaseRow | None
    """None for what is not rented."""
    live: int
    """How many tasks are on it now."""
    ended: int
    """How many tasks had their last attempt on it, and have ended."""


@frozen(kw_only=True, slots=False)
class Shape:
    """The tasks of a run, as far as they are known."""

    workflow: WorkflowSpec
    """As the run began with it, and with the tasks that joined later."""
    made: Mapping[str, Sequence[Sequence[str]]]
    """The values that earlier tasks' outputs gave, by the name of the task that has them."""

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many tasks there are of each name, in the order of the workflow."""
        counts = {spec.name: count_members(spec, self.made.get(spec.name)) for spec in self.workflow.tasks}
        # One stands for those that are not known yet.
        return {name: 1 if count is None else count for name, count in counts.items()}

    @cached_property
    def ids(self) -> Sequence[str]:
        """All tasks in the order of the workflow; slow for many, so for who must name those that have not begun."""
        return tuple(task.id for spec in self.workflow.tasks for task in expand(spec, self.made.get(spec.name)))


@frozen(kw_only=True)
class TaskPage:
    """Some of the tasks that were asked for."""

    tasks: Sequence[TaskInfo]
    total: int
    """How many there are on all pages."""


@frozen(kw_only=True)
class Overview:
    """A run as it stood when its journal had so many events."""

    reader: RunReader = field(eq=False)
    last: int
    """The number of the last event that is in it."""
    at: datetime
    """When that happened."""
    info: RunInfo
    shape: Shape
    groups: Sequence[Group]
    machines: Sequence[MachineNow]
    """In the order in which they came."""
    leases: Sequence[LeaseRow]
    """What was rented, in the order in which it was asked for; not all of it has become a machine."""
    builds: Sequence[BuildRow]

    def tasks(
        self,
        *,
        phase: str | None = None,
        machine: str | None = None,
        name: str | None = None,
        search: str | None = None,
        skip: int = 0,
        most: int = 100,
    ) -> TaskPage:
        """Give a page of the tasks that are meant, first those to which something has happened, then the others.

        Narrowed as `RunReader.tasks` does it.
        """
        reader = self.reader
        total = reader.count_tasks(phase, machine, name=name, search=search)
        found = reader.tasks(phase, machine, name=name, search=search, skip=skip, most=most) if skip < total else []
        if machine is not None or phase not in {None, TaskPhase.WAITING} or self._touched == self.info.tasks:
            return TaskPage(tasks=found, total=total)
        others = self._untouched(name, search)
        begin = max(0, skip - total)
        found += [_waiting(task) for task in others[begin : begin + most - len(found)]]
        return TaskPage(tasks=found, total=total + len(others))

    @property
    def _touched(self) -> int:
        return self.reader.count_tasks()

    def _untouched(self, name: str | None, search: str | None) -> list[str]:
        touched = {each.id for each in self.reader.tasks()}
        return [
            task
            for task in self.shape.ids
            if task not in touched
            and (name is None or task == name or task.startswith(f"{name}["))
            and (search is None or search in task)
        ]


def read_overview(reader: RunReader) -> Overview:
    """Read a run, live, over or past.

    Raises:
        JournalError: when the journal is damaged, or a newer version wrote it.
        UsageError: when there is none.
    """
    info = reader.info()
    last, at, _ = _news(reader, 0)
    shape = _shape(reader)
    groups, phases = _groups(reader, shape)
    leases, rows = read_leases(reader), read_machines(reader)
    by_machine = {lease.machine: lease for lease in leases if lease.machine}
    machines = [MachineNow(row=row, lease=by_machine.get(row.machine), live=0, ended=0) for row in rows]
    return Overview(
        reader=reader,
        last=last,
        at=at or info.started,
        info=evolve(info, phases=phases),
        shape=shape,
        groups=groups,
        machines=_busy(reader, machines),
        leases=leases,
        builds=read_builds(reader),
    )


def refreshed(overview: Overview) -> Overview:
    """Give what a run is like now; the same value when nothing has happened since.

    Raises:
        JournalError: as `read_overview` does.
    """
    reader, info = overview.reader, overview.info
    if reader.until is not None:
        return overview  # nothing happens to what is past
    last, at, rare = _news(reader, overview.last)
    if rare:
        return read_overview(reader)
    if info.ended is None:
        info = evolve(info, state="running" if is_held(reader.folder) else "unfinished")
    if at is None:
        return overview if info == overview.info else evolve(overview, info=info)
    groups, phases = _groups(reader, overview.shape)
    return evolve(
        overview,
        last=last,
        at=at,
        info=evolve(info, phases=phases),
        groups=groups,
        machines=_busy(reader, overview.machines),
    )


def _news(reader: RunReader, after: int) -> tuple[int, datetime | None, bool]:
    """Say up to where the journal goes now, when that was, and whether more than attempts have come since."""
    with reader._reading() as db:
        last, at, rare = db.execute(_NEWS, (after,)).fetchone()
    return last or 0, None if at is None else datetime.fromtimestamp(at, UTC), bool(rare)


def _shape(reader: RunReader) -> Shape:
    workflow = reader.workflow()
    joined = [event for _, event in reader.events(kind="TasksAdded") if isinstance(event, TasksAdded)]
    made = [event for _, event in reader.events(kind="MembersMade") if isinstance(event, MembersMade)]
    return Shape(
        workflow=evolve(workflow, tasks=(*workflow.tasks, *(spec for event in joined for spec in event.tasks))),
        made={event.name: event.values for event in made},
    )


def _groups(reader: RunReader, shape: Shape) -> tuple[list[Group], dict[str, int]]:
    """Count the members of each task as written, and all."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in shape.sizes}
    with reader._reading() as db:
        for name, phase, number in db.execute(_GROUPS):
            counts.setdefault(name, Counter())[phase] = number
    for name, size in shape.sizes.items():
        counts[name][TaskPhase.WAITING] += size - counts[name].total()
    groups = [Group(name=name, tasks=found.total(), phases=_in_order(found)) for name, found in counts.items()]
    return groups, _in_order(sum(counts.values(), Counter()))


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {phase.value: counts[phase] for phase in TaskPhase if counts.get(phase, 0) > 0}


def _busy(reader: RunReader, machines: Iterable[MachineNow]) -> list[MachineNow]:
    """Count what is on machines."""
    with reader._reading() as db:
        counts = {machine: (live, total) for machine, live, total in db.execute(_BUSY)}
    found = []
    for each in machines:
        live, total = counts.get(each.row.machine, (0, 0))
        found.append(evolve(each, live=live, ended=total - live))
    return found


def _waiting(task: str) -> TaskInfo:
    return TaskInfo(id=task, phase=TaskPhase.WAITING.value, attempts=0, machine="", failure="")
