"""How events change the state that only some runs have: those that move data between machines, build environments or
rent. For `longshore.scheduler.apply` alone, which imports this with the first such event.
"""

from __future__ import annotations

from typing import assert_never

from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentEvent, EnvironmentFailed
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeaseEvent,
    LeaseIntended,
    LeasesLeft,
    OffersFound,
    OffersMissing,
    TasksRefused,
)
from longshore.model.move_events import HomeLost, InputsStaged, Moved, MoveEvent, MoveFailed, ObjectsDiscarded
from longshore.scheduler import losing, moving
from longshore.scheduler.endings import end_badly, fail_move, settle
from longshore.scheduler.environments import apply_build
from longshore.scheduler.leased import apply_renting
from longshore.scheduler.state import PENDING, RunState, TaskPhase

__all__ = ["apply_away"]


def apply_away(state: RunState, event: EnvironmentEvent | LeaseEvent | MoveEvent) -> None:
    """Let an event change the state."""
    match event:
        case InputsStaged():
            if moving.is_staged(state, event):
                state.move(state.tasks[event.task], TaskPhase.QUEUED)
        case Moved():
            for name in moving.arrive(state, event):
                settle(state, name)
        case MoveFailed():
            fail_move(state, event)
        case HomeLost(reason=reason):
            losing.lose_home(state, reason)
        case ObjectsDiscarded():
            losing.discarded(state, event)
        case BuildIntended() | EnvironmentBuilt() | EnvironmentFailed():
            apply_build(state, event)
        case TasksRefused():
            _tasks_refused(state, event)
        case LeaseChanged() | LeaseDraining() | LeaseIntended() | LeasesLeft() | OffersFound() | OffersMissing():
            apply_renting(state, event)
        case _:
            assert_never(event)


def _tasks_refused(state: RunState, event: TasksRefused) -> None:
    for name in event.tasks:
        task = state.tasks[name]
        if task.phase in PENDING:
            task.failure = event.failure
            end_badly(state, task, TaskPhase.FAILED)
