"""What a machine does with its attempts when a run is played, and what these read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from attrs import define, field

from longshore.model.artifact import Artifact, Input
from longshore.model.offer import Price, cost_between
from longshore.model.resources import Resources
from longshore.model.task import Task
from longshore.scheduler.graph import matching, member_of
from longshore.scheduler.state import RunState
from longshore.scheduler.virtual import MachineUse, VirtualMachine

__all__ = ["Place", "reads"]


@define
class Place:
    """A machine: attempts that do not fit at once wait in their order, as on a real one."""

    machine: VirtualMachine
    free: Resources
    since: datetime | None
    """Since when it is up; None when it is not."""
    waiting: deque[tuple[str, int, Resources, float]] = field(factory=deque)
    attempts: int = 0
    cpu_seconds: float = 0.0
    up: timedelta = timedelta()
    """For how long it was up before."""

    def next_starts(self) -> list[tuple[str, int, Resources, float]]:
        """Take those that fit now off the queue, each with its attempt, needs and seconds."""
        starts: list[tuple[str, int, Resources, float]] = []
        while self.waiting and self.waiting[0][2].fits(self.free):
            starts.append(self.waiting.popleft())
            self.free -= starts[-1][2]
        return starts

    def end(self, needs: Resources, seconds: float) -> None:
        """Give back what an attempt had."""
        self.free += needs
        self.attempts += 1
        self.cpu_seconds += needs.cpus * seconds

    def leave(self, now: datetime) -> None:
        """Be up no longer; what runs here is lost."""
        if self.since is not None:
            self.up += now - self.since
        self.since = None
        self.free = self.machine.resources
        self.waiting.clear()

    def used(self, now: datetime) -> MachineUse:
        """Sum up."""
        up = self.up + (now - self.since if self.since is not None else timedelta())
        rate = self.machine.price_per_hour
        price = None if rate is None else Price(per_hour=rate, source="simulation", at=now)
        return MachineUse(
            machine=self.machine,
            attempts=self.attempts,
            cpu_seconds=self.cpu_seconds,
            up=up,
            cost=None if price is None else cost_between(price, now - up, now),
        )


def reads(state: RunState, task: Task) -> tuple[Input, ...]:
    """List what a task reads of those before it, as far as it is known what these write."""
    found: dict[str, Input] = {}
    for reference in task.spec.references:
        group = state.groups.get(reference.task)
        if group is None or reference.workflow:
            continue
        members = matching(group.members, member_of(reference, task)) if group.spec.expands else None
        for member in group.members if members is None else members:
            producer = group.members[member]
            for each in _meant(state.tasks[producer].outputs, reference.path):
                found[each.sha256] = Input(sha256=each.sha256, size=each.size, kind=each.kind, origin=producer)
    return tuple(found.values())


def _meant(outputs: tuple[Artifact, ...], path: str) -> Iterator[Artifact]:
    for each in outputs:
        if fnmatchcase(each.path, path) or path.startswith(f"{each.path.rstrip('/')}/"):
            yield each
