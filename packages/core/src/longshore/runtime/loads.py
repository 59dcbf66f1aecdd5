"""What the machines of a run use, for those who watch: asked for when the first one comes, no more when the last one
has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import asdict

from longshore.errors import LongshoreError
from longshore.model.machine import Machine

if TYPE_CHECKING:
    from longshore.model.load import MachineLoad

__all__ = ["Loads"]

_EVERY = timedelta(seconds=1)

Body = Mapping[str, Any]
Measure: TypeAlias = "Callable[[timedelta, Callable[[MachineLoad], None]], None]"


class Loads:
    """The machines that are linked. Its methods are for any thread; none of them blocks."""

    def __init__(self) -> None:
        self.tell: Callable[[Sequence[Body]], None] = _nobody
        """Takes what those who watch are to be sent."""
        self._lock = Lock()
        self._on = False
        self._machines: dict[str, tuple[Machine, Measure]] = {}

    def add(self, machine: Machine, measure: Measure) -> None:
        """Learn of a machine that is linked now; ``measure`` has its load told, as a session's does."""
        with self._lock:
            self._machines[machine.id] = (machine, measure)
            if self._on:
                self._begin(measure)

    def remove(self, machine: str) -> None:
        """Forget a machine, and tell those who watch. Silent when it is unknown."""
        with self._lock:
            known = self._machines.pop(machine, None)
        if known is not None:
            self.tell([{"machine": machine, "gone": True}])

    def watch(self, on: bool) -> None:
        """Have all machines measured from now on, or none."""
        with self._lock:
            self._on = on
            for _, measure in self._machines.values():
                self._begin(measure)

    def listing(self) -> list[Body]:
        """List the machines, without what they use."""
        with self._lock:
            return [_row(machine) for machine, _ in self._machines.values()]

    def _begin(self, measure: Measure) -> None:
        with suppress(LongshoreError):  # a machine that is out of reach tells nothing
            measure(_EVERY if self._on else timedelta(0), self._take)

    def _take(self, load: MachineLoad) -> None:
        known = self._machines.get(load.machine)
        if known is not None:
            self.tell([{**_row(known[0]), "load": asdict(load)}])


def _row(machine: Machine) -> Body:
    return {"machine": machine.id, "pool": machine.pool, "cores": machine.resources.cpus}


def _nobody(_: Sequence[Body]) -> None:
    """Tell nobody."""
