"""What the scheduler wants done about the machines that a run rents."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.offer import Offer
from longshore.model.outcome import FailureClass
from longshore.model.rented import WhenIdle
from longshore.model.resources import Resources

__all__ = ["DrainMachine", "FindOffers", "GiveUp", "RefuseTasks", "Rent", "RentingAction", "StartAgain"]


@frozen
class FindOffers:
    """Ask the provider of a pool what it rents that the pool could use."""

    pool: str
    largest: Resources
    """What a machine must have so that every task fits on it."""


@frozen
class Rent:
    """Rent a machine, after its intent is in the journal: one that waits for the project, or a new one."""

    lease: str
    pool: str
    kind: int
    offer: Offer
    ends_at: datetime


@frozen
class StartAgain:
    """Power a machine of the run on that was stopped."""

    lease: str


@frozen
class DrainMachine:
    """Give a rented machine no more attempts."""

    lease: str
    reason: str


@frozen
class GiveUp:
    """End, stop or keep a machine on which nothing runs."""

    lease: str
    how: WhenIdle
    reason: str
    closing: bool = False
    """Whether the run has ended, so that nobody needs what lies on it."""


@frozen
class RefuseTasks:
    """Let tasks fail for which no machine can ever be had, or none with what they need."""

    tasks: tuple[str, ...]
    reason: str
    failure: FailureClass = FailureClass.CAPACITY


RentingAction = DrainMachine | FindOffers | GiveUp | RefuseTasks | Rent | StartAgain
