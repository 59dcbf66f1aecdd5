"""What is known of a run: the fold of its events. Only `longshore.scheduler.apply` changes it."""

from __future__ import annotations

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING

from attrs import define, field

from longshore.model.artifact import Artifact
from longshore.model.outcome import FailureClass
from longshore.model.phase import TaskPhase
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import Task, TaskSpec
from longshore.model.views import TaskView
from longshore.model.workflow import LOCAL_POOL, WorkflowSpec
from longshore.scheduler.whereabouts import Whereabouts

if TYPE_CHECKING:
    from longshore.scheduler.build_state import BuildState
    from longshore.scheduler.parting import Parted
    from longshore.scheduler.rented_state import LeaseState, RentedState

__all__ = [
    "DONE",
    "ENDED",
    "LIVE",
    "PENDING",
    "GroupState",
    "MachineState",
    "ReadyLine",
    "ReadyQueue",
    "RunState",
    "TaskPhase",
    "TaskState",
]


PENDING = frozenset({TaskPhase.WAITING, TaskPhase.BUILDING})
"""No attempt exists, and one may still be made."""
LIVE = frozenset({TaskPhase.STAGING, TaskPhase.QUEUED, TaskPhase.RUNNING})
"""An attempt exists on a machine, or its outputs are still to come home."""
DONE = frozenset({TaskPhase.SUCCEEDED, TaskPhase.UP_TO_DATE})
ENDED = DONE | {TaskPhase.FAILED, TaskPhase.LOST, TaskPhase.CANCELLED, TaskPhase.SKIPPED}
"""Nothing more happens to it, unless somebody asks for a retry."""


@define(eq=False)
class TaskState:
    """One task of the run."""

    task: Task
    view: TaskView
    pool: str
    phase: TaskPhase = TaskPhase.WAITING
    unmet: int = 0
    """How many of the tasks and groups that it waits for have not succeeded."""
    readers: list[str] | None = None
    identity: str = ""
    attempts: int = 0
    machine: str = ""
    failures: dict[FailureClass, int] | None = None
    delayed_until: datetime | None = None
    cancel_asked: bool = False
    outputs: tuple[Artifact, ...] = ()
    result: str | None = None
    failure: FailureClass | None = None


@define(eq=False)
class GroupState:
    """All members of one task as written."""

    spec: TaskSpec
    members: dict[str, str] = field(factory=dict)
    """Task id by member name."""
    unfinished: int = 0
    made: bool = True
    readers: list[str] = field(factory=list)
    """Tasks that wait for all of it."""
    read: bool = False
    """Whether any task reads its outputs."""
    open: int = 0
    """How many members have not ended; kept only while its table is still to be made."""
    edition: int = 0
    """As in `longshore.scheduler.actions.MakeTable`."""
    table: tuple[Artifact, ...] = ()
    """What its members' rows were collected into."""


@define(eq=False)
class MachineState:
    """A machine and what is on it."""

    id: str
    pool: str
    capacity: Resources
    slots: int | None
    price_per_hour: Money | None = None
    cpus_used: float = 0.0
    memory_used: int = 0
    gpus_used: int = 0
    disk_used: int = 0
    attempts: int = 0
    alone: bool = True
    """Whether no other run uses it, so that tasks may wait on the machine itself."""
    store: str = ""
    """As in `longshore.model.events.MachineAdded`, like the next."""
    vanishes: bool = False
    bucket: str = ""
    """Where outputs of its attempts are kept besides, as `longshore.model.workflow.PoolSpec.store` says."""
    linked: bool = True
    """Whether the present controller has said that it can reach it."""
    gone: bool = False


class ReadyQueue:
    """Tasks of a pool that could start. Those that need an environment stand in a line of their own: they may have to
    wait for it, and others must not wait behind them.
    """

    def __init__(self) -> None:
        self._lines: dict[str, ReadyLine] = {}

    def add(self, view: TaskView) -> None:
        """Put a task in; one that is in already stays where it is."""
        line = self._lines.get(view.environment)
        if line is None:
            line = self._lines[view.environment] = ReadyLine()
        line.add(view)

    def remove(self, view: TaskView) -> None:
        """Take a task out; silent when it is not in."""
        line = self._lines.get(view.environment)
        if line is not None:
            line.remove(view)

    def line(self, environment: str) -> ReadyLine:
        """Give those that need an environment; of the empty name, those that need none."""
        return self._lines.get(environment) or ReadyLine()

    def environments(self) -> list[str]:
        """Name the environments that are needed now, the one with the most urgent task first; empty for none."""
        heads = [(line.front(1)[0], name) for name, line in self._lines.items() if line]
        return [name for view, name in sorted(heads, key=lambda head: (-head[0].priority, head[0].order))]

    def front(self, count: int, environment: str | None = None) -> list[TaskView]:
        """List the ``count`` most urgent ones, of all or of one line."""
        if environment is not None:
            return self.line(environment).front(count)
        if len(self._lines) == 1:
            return next(iter(self._lines.values())).front(count)
        fronts = [line.front(count) for line in self._lines.values()]
        return list(islice(merge(*fronts, key=lambda view: (-view.priority, view.order)), count))

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[TaskView]:
        return chain.from_iterable(self._lines.values())


class ReadyLine:
    """Tasks that could start, most urgent first; within one priority in the order in which they came."""

    def __init__(self) -> None:
        self._priorities: list[float] = []
        self._buckets: dict[float, OrderedDict[str, TaskView]] = {}
        self._size = 0

    def add(self, view: TaskView) -> None:
        """Put a task in; one that is in already stays where it is."""
        key = -view.priority
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = OrderedDict()
            insort(self._priorities, key)
        if view.id not in bucket:
            bucket[view.id] = view
            self._size += 1

    def remove(self, view: TaskView) -> None:
        """Take a task out; silent when it is not in."""
        key = -view.priority
        bucket = self._buckets.get(key)
        if bucket is None or bucket.pop(view.id, None) is None:
            return
        self._size -= 1
        if not bucket:
            del self._buckets[key]
            self._priorities.remove(key)

    def front(self, count: int) -> list[TaskView]:
        """List the ``count`` most urgent ones."""
        return list(islice(chain.from_iterable(self._buckets[key].values() for key in self._priorities), count))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[TaskView]:
        return chain.from_iterable(self._buckets[key].values() for key in self._priorities)


@define(eq=False)
class RunState:
    """A run: its tasks, its machines, and the queues that `decide` reads.

    The queues are kept, not derived, because a turn must cost what has changed and not what there is.
    """

    workflow: WorkflowSpec
    tasks: dict[str, TaskState] = field(factory=dict)
    groups: dict[str, GroupState] = field(factory=dict)
    machines: dict[str, MachineState] = field(factory=dict)
    parted: dict[str, Parted] = field(factory=dict)
    """By machine: those that are out of reach, and still count as the run's."""
    pools: dict[str, int | None] = field(factory=dict)
    """Limit of attempts at once for each pool."""
    ready: dict[str, ReadyQueue] = field(factory=dict)
    """By pool: what has an identity, must run, and could start."""
    unidentified: OrderedDict[str, None] = field(factory=OrderedDict)
    """What has all its inputs, and no identity yet."""
    unmade: OrderedDict[str, None] = field(factory=OrderedDict)
    """Tasks as written whose members can be made now."""
    delayed: list[tuple[datetime, int, str]] = field(factory=list)
    """Waiting for a retry's time, earliest first: moment, position in the workflow, task."""
    undelivered: OrderedDict[str, None] = field(factory=OrderedDict)
    cancelling: OrderedDict[str, None] = field(factory=OrderedDict)
    """Tasks with a live attempt that is to end."""
    live: OrderedDict[str, None] = field(factory=OrderedDict)
    live_in_pool: Counter[str] = field(factory=Counter)
    phases: Counter[TaskPhase] = field(factory=Counter)
    unmade_tables: OrderedDict[str, None] = field(factory=OrderedDict)
    """Tasks as written whose table is still to be made; see `longshore.scheduler.collecting`, like the next."""
    spoiled: dict[str, str] = field(factory=dict)
    """Those whose table lacks members that have succeeded, and why."""
    pace: dict[str, float] = field(factory=dict)
    """By task as written: about how many seconds an attempt takes."""
    common_pace: float = 1.0
    """The same for all together, from a careful guess on: what to expect of those that have not run yet."""
    where: Whereabouts = field(factory=Whereabouts)
    moved: dict[str, TaskState] = field(factory=dict)
    """Tasks whose phase has changed since the runner last wrote them down; nothing is decided by it."""
    rented: dict[str, RentedState] = field(factory=dict)
    """Pools whose machines are rented."""
    leases: dict[str, LeaseState] = field(factory=dict)
    lease_of: dict[str, str] = field(factory=dict)
    """By machine."""
    idle: dict[str, datetime] = field(factory=dict)
    """By rented machine: since when it has nothing to do."""
    builds: dict[tuple[str, str], BuildState] = field(factory=dict)
    """By machine and environment; see `longshore.scheduler.environments`, like the next two."""
    under_construction: dict[tuple[str, int], str] = field(factory=dict)
    """By environment and number of the build: the machine that builds it now."""
    build_numbers: Counter[str] = field(factory=Counter)
    next_order: int = 0
    fence: int = 0
    stopping: bool = False
    """Nothing more is to start; the run can be continued."""
    failing: bool = False
    """Nothing more is to start, since a task failed and the workflow says to stop at the first failure."""
    cancelled: bool = False
    ended: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended for good, so that nothing of it can be continued."""
        return self.ended in {"succeeded", "failed", "cancelled"}

    def move(self, task: TaskState, phase: TaskPhase) -> None:
        """Let a task enter a phase; for `longshore.scheduler.apply` alone."""
        self.phases[task.phase] -= 1
        if self.unmade_tables:
            self.groups[task.view.name].open += (phase not in ENDED) - (task.phase not in ENDED)
        if task.pool in self.rented:
            self.rented[task.pool].open += (phase not in ENDED) - (task.phase not in ENDED)
        task.phase = phase
        self.phases[phase] += 1
        self.moved[task.task.id] = task

    def store_of(self, place: str) -> str:
        """Name the store at a place, which is a machine, a bucket (that is one itself) or, without a name, home."""
        machine = self.machines.get(place)
        return place if machine is None else machine.store

    def pool_of(self, spec: TaskSpec) -> str:
        """Name the pool that a task goes to."""
        if spec.pool is not None:
            return spec.pool
        pools = self.workflow.pools
        return pools[0].name if len(pools) == 1 else LOCAL_POOL
