"""What every launch comes to: all machines that were asked for, and none besides (laws P1 and P6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from longshore.errors import OutOfCapacity
from longshore.model.machine import Machine

__all__ = ["exactly"]


def exactly(
    machines: Sequence[Machine], count: int, *, terminate: Callable[[Collection[str]], None]
) -> Sequence[Machine]:
    """Give that many of the machines under one token, the same ones each time, and end the others.

    Raises:
        OutOfCapacity: when there are too few; those that there were are ended.
    """
    machines = sorted(machines, key=lambda machine: machine.id)
    if len(machines) < count:
        terminate([machine.id for machine in machines])
        raise OutOfCapacity(f"there are {len(machines)} of the {count} machines of this launch; they were ended")
    if len(machines) > count:
        terminate([machine.id for machine in machines[count:]])
    return machines[:count]
