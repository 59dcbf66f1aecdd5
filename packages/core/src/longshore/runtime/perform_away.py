"""Beginning actions that only some runs have: those that move data between machines, build environments or rent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from longshore.scheduler.away_actions import AwayAction, BuildEnvironment, CancelBuild, Discard, Move, StageAttempt
from longshore.scheduler.renting_actions import FindOffers, GiveUp, Rent, StartAgain

if TYPE_CHECKING:
    from longshore.runtime.perform import Crew

__all__ = ["perform_away"]


def perform_away(crew: Crew, action: AwayAction) -> None:
    """Begin an action whose answer comes later."""
    match action:
        case StageAttempt():
            crew.stage(action)
        case Move():
            crew.reach.move(action)
        case Discard(machine, digests):
            crew.reach.remotes[machine].discard(digests)
        case BuildEnvironment() if crew.environments is not None:
            crew.environments.build(action)
        case CancelBuild() if crew.environments is not None:
            crew.environments.cancel(action)
        case FindOffers() | GiveUp() | Rent() | StartAgain():
            if crew.renters is not None:
                crew.renters.perform(action)
        case _:
            raise TypeError(f"nobody performs {action!r}")
