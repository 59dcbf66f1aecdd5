"""This run's part of this computer, as its machine: resized when other runs come and go.

The shared table is asked at the start, when another run pokes, and with each turn while not all of it is ours. A run
that is alone asks once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from attrs import evolve

from longshore.model.events import MachineResized
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.runtime.capacity import Capacity, Grant
from longshore.scheduler.state import RunState

__all__ = ["Sharing"]

_NOTHING = Resources(cpus=0.0)


class Sharing:
    """Keeps the machine that stands for this computer within what other runs leave."""

    def __init__(self, machine: Machine, state: RunState, poke: Callable[[], None]) -> None:
        """``poke`` makes the runner take a turn; it is called from another thread."""
        self._machine = machine
        self._state = state
        self._poke = poke
        self._poked = False
        self._capacity = Capacity(machine.resources, self._changed)
        self._grant: Grant | None = None

    def __enter__(self) -> Self:
        """Join the other runs."""
        self._capacity.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give everything back."""
        self._capacity.__exit__(kind, error, trace)

    @property
    def total(self) -> Resources:
        """All that this computer has, but for gpus: of those the ones that this run may use."""
        gpus = len(self._grant.gpus) if self._grant is not None else 0
        return evolve(self._machine.resources, gpus=gpus)

    def machine(self) -> Machine:
        """Give the machine with what this run may use of it now."""
        grant = self._ask()
        tags = {"gpus": ",".join(map(str, grant.gpus))} if grant.gpus else {}
        return evolve(self._machine, resources=self._within(grant), tags=tags)

    @property
    def gpus(self) -> tuple[int, ...]:
        """The GPUs that are this run's now, by index."""
        return self._grant.gpus if self._grant is not None else ()

    @property
    def alone(self) -> bool:
        """Whether all of the computer is ours."""
        return self._grant is not None and self._grant.resources.cpus >= self._machine.resources.cpus

    def news(self, *, happened: bool) -> list[MachineResized]:
        """Ask again if that is worth it; ``happened`` says whether anything has in this turn."""
        contended = self._grant is not None and self._grant.contended
        if not (self._poked or (happened and (contended or not self.alone))):
            return []
        known = self._state.machines.get(self._machine.id)
        if known is None or not known.linked:
            # What was granted before is on its way; a poke is answered when that has come.
            return []
        self._poked = False
        before = self._grant
        grant = self._ask()
        if before is not None and grant.resources == before.resources:
            return []
        return [
            MachineResized(
                at=datetime.now(UTC), machine=self._machine.id, resources=self._within(grant), alone=self.alone
            )
        ]

    def _changed(self) -> None:
        self._poked = True
        self._poke()

    def _within(self, grant: Grant) -> Resources:
        return evolve(grant.resources, disk_bytes=self._machine.resources.disk_bytes)

    def _ask(self) -> Grant:
        state = self._state
        using = _used(state, self._machine.id)
        queue = state.ready.get(self._machine.pool)
        waiting = queue.front(1) if queue is not None else []
        least = using + waiting[0].needs if waiting else using
        # As long as anything waits all of it can be used; how much of that is fair is not for us to say.
        more = bool(waiting or state.unidentified or state.unmade or state.delayed) or self._grant is None
        want = self._machine.resources if more else using
        gpus = tuple(self._grant.gpus) if self._grant is not None and using.gpus else ()
        total = self._machine.resources
        self._grant = self._capacity.ask(using=using, want=_least(want, total), least=_least(least, total), gpus=gpus)
        return self._grant


def _used(state: RunState, name: str) -> Resources:
    machine = state.machines.get(name)
    if machine is None:
        return _NOTHING
    # Attempts that wait on the machine itself use nothing yet.
    cpus = min(machine.cpus_used, machine.capacity.cpus)
    memory = min(machine.memory_used, machine.capacity.memory_bytes)
    return Resources(cpus=cpus, memory_bytes=memory, gpus=min(machine.gpus_used, machine.capacity.gpus))


def _least(one: Resources, other: Resources) -> Resources:
    return Resources(
        cpus=min(one.cpus, other.cpus),
        memory_bytes=min(one.memory_bytes, other.memory_bytes),
        gpus=min(one.gpus, other.gpus),
    )
