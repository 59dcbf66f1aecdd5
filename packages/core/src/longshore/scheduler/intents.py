"""What is written down of an action before it is performed; for actions that only some runs have."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from longshore.model.environment_events import BuildIntended
from longshore.model.events import Event, MachineGone
from longshore.model.lease_events import LeaseDraining, LeaseIntended, TasksRefused
from longshore.model.move_events import ObjectsDiscarded
from longshore.scheduler.away_actions import (
    AwayAction,
    BuildEnvironment,
    CancelBuild,
    Discard,
    LoseMachine,
    Move,
    StageAttempt,
)
from longshore.scheduler.renting_actions import DrainMachine, FindOffers, GiveUp, RefuseTasks, Rent, StartAgain

__all__ = ["costs_money", "intent"]


def intent(action: AwayAction, at: datetime) -> tuple[Event | None, bool]:
    """Give the event that an action becomes, if it becomes one, and say whether something is to be performed then.

    An action without event is performed at once, and answered later.
    """
    match action:
        case Discard(machine, digests):
            return ObjectsDiscarded(at=at, machine=machine, digests=digests), True
        case BuildEnvironment(environment, number, machine):
            return BuildIntended(at=at, environment=environment, number=number, machine=machine), True
        case Rent(lease, pool, kind, offer, ends_at):
            return LeaseIntended(at=at, lease=lease, pool=pool, kind=kind, offer=offer, ends_at=ends_at), True
        case LoseMachine(machine, reason):
            return MachineGone(at=at, machine=machine, reason=reason), False
        case DrainMachine(lease, reason):
            return LeaseDraining(at=at, lease=lease, reason=reason), False
        case RefuseTasks(tasks, reason, failure):
            return TasksRefused(at=at, tasks=tasks, reason=reason, failure=failure), False
        case CancelBuild() | FindOffers() | GiveUp() | Move() | StageAttempt() | StartAgain():
            return None, True
        case _:
            assert_never(action)


def costs_money(action: AwayAction) -> bool:
    """Say whether what is done may cost money, so that its intent has to be safe from a power cut."""
    return isinstance(action, Rent)
