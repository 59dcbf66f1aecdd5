"""The strategy `tightest`, its options, and the hook that announces it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen
from attrs.validators import in_

from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import StrategyRecord, hookimpl

__all__ = ["Options", "Tightest", "longshore_strategies"]

BUILT_FOR = (0, 1)  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user may choose."""

    by: str = field(default="cpus", validator=in_(("cpus", "memory")))
    """Of what there should be little left."""


class Tightest:
    """The most urgent task first, on the machine with the least room that takes it."""

    def __init__(self, options: Options) -> None:
        self._by = options.by

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        free = {machine.id: machine.free for machine in machines}
        slots = {machine.id: machine.slots for machine in machines}
        chosen = []
        for task in waiting:
            able = [
                machine.id
                for machine in machines
                if slots[machine.id] > 0 and task.needs.fits(free[machine.id]) and task.needs.fits(machine.largest)
            ]
            if able:
                best = min(able, key=lambda name: self._room(free[name]))
                free[best] -= task.needs
                slots[best] -= 1
                chosen.append(Assignment(task.id, best))
        return chosen

    def _room(self, free: Resources) -> float:
        return free.memory_bytes if self._by == "memory" else free.cpus


@hookimpl
def longshore_strategies() -> Sequence[StrategyRecord]:
    """Announce it."""
    return [StrategyRecord(name="tightest", config=Options, factory=Tightest, api=BUILT_FOR)]
