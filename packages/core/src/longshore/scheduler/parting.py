"""Machines that are out of reach, and may go on with what they were given."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen

from longshore.model.events import MachineGone
from longshore.scheduler.away_actions import LoseMachine
from longshore.scheduler.state import MachineState, RunState

__all__ = ["Parted", "losses", "part_with"]


@frozen
class Parted:
    """That a machine is out of reach."""

    until: datetime
    """Nothing that it was given runs there from this moment on, whatever has become of the machine."""
    reason: str


def part_with(state: RunState, machine: MachineState, event: MachineGone) -> None:
    """Note that a machine is out of reach, but may go on with what it was given until its time is over."""
    assert event.over_by is not None
    machine.linked = False
    tasks = [state.tasks[name] for name in state.live if state.tasks[name].machine == machine.id]
    until = event.over_by + max((task.task.spec.grace for task in tasks), default=timedelta(0))
    known = state.parted.get(machine.id)
    state.parted[machine.id] = Parted(until if known is None else min(known.until, until), event.reason)


def losses(state: RunState, now: datetime) -> list[LoseMachine]:
    """Give up the machines whose time is over."""
    return [LoseMachine(name, parted.reason) for name, parted in state.parted.items() if parted.until <= now]
