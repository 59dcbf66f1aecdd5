"""What has happened to the machines that a run rents. The ledger is the truth; these say what of it the run knows."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, OfferKey
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money

__all__ = [
    "LeaseChanged",
    "LeaseDraining",
    "LeaseEvent",
    "LeaseIntended",
    "LeasesLeft",
    "OffersFound",
    "OffersMissing",
    "TasksRefused",
]


@frozen(kw_only=True)
class OffersFound:
    """The provider of a pool has said what it rents that the pool could use, for each kind of machine in its order."""

    at: datetime
    pool: str
    offers: tuple[tuple[Offer, ...], ...]
    """Within a kind in the order in which they are to be tried."""
    room: tuple[tuple[OfferKey, int], ...] = ()
    """How many more of some offers the account may have."""


@frozen(kw_only=True)
class OffersMissing:
    """The provider of a pool could not be asked what it rents; it is asked again later."""

    at: datetime
    pool: str
    reason: str


@frozen(kw_only=True)
class LeaseIntended:
    """A machine is about to be rented. Committed before anything is asked of the cloud."""

    at: datetime
    lease: str
    pool: str
    kind: int
    """Which of the pool's kinds of machines."""
    offer: Offer
    ends_at: datetime


@frozen(kw_only=True)
class LeaseChanged:
    """What the ledger says of a lease of this run now."""

    at: datetime
    lease: str
    pool: str
    phase: LeasePhase
    machine: str = ""
    offer: OfferKey
    price: Money | None = None
    """What an hour costs."""
    cost: Money | None = None
    """What is set aside for it or, when it is absent, was spent; None where there is no price."""
    ends_at: datetime
    kept: bool = False
    """The run has left the machine to the next run of its project."""
    warm: bool = False
    """An earlier run has left the machine to this one."""
    failure: FailureClass | None = None
    """What went wrong, when the lease did not end by the run's own wish."""
    reason: str = ""


@frozen(kw_only=True)
class LeaseDraining:
    """A machine gets no more attempts, and is given up when nothing runs on it."""

    at: datetime
    lease: str
    reason: str
    doomed: bool = False
    """Whether it is of no use any more: it ends then, also where its pool stops or keeps machines."""


@frozen(kw_only=True)
class LeasesLeft:
    """The end of these leases was asked for and could not be confirmed in time; `longshore gc` sees to the rest."""

    at: datetime
    leases: tuple[str, ...]
    reason: str


@frozen(kw_only=True)
class TasksRefused:
    """These tasks can never run in their pool, since no machine can be had for them, or none with their environment."""

    at: datetime
    tasks: tuple[str, ...]
    reason: str
    failure: FailureClass = FailureClass.CAPACITY


LeaseEvent = LeaseChanged | LeaseDraining | LeaseIntended | LeasesLeft | OffersFound | OffersMissing | TasksRefused
