"""What a run knows of the machines that it rents. Only `longshore.scheduler.leased` changes it."""

from __future__ import annotations

from datetime import datetime

from attrs import define, field, frozen

from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, OfferKey
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money
from longshore.model.rented import RentedPool
from longshore.model.resources import Resources

__all__ = ["LeaseState", "Refusal", "RentedState"]


@frozen(kw_only=True)
class Refusal:
    """The cloud has refused an offer: no capacity, or the account's limit."""

    offer: OfferKey
    at: datetime


@define(eq=False)
class LeaseState:
    """One lease of the run."""

    id: str
    pool: str
    kind: int
    """Which of the pool's kinds of machines."""
    offer: OfferKey
    born: datetime
    ends_at: datetime
    phase: LeasePhase = LeasePhase.INTENDED
    machine: str = ""
    price: Money | None = None
    cost: Money | None = None
    """What is set aside for it, or was spent."""
    kept: bool = False
    """It waits for the next run of the project."""
    left: bool = False
    """Its end could not be confirmed in time."""
    doomed: bool = False
    """Its machine is of no use any more, once nothing runs on it."""
    failure: FailureClass | None = None
    reason: str = ""

    @property
    def takes_attempts(self) -> bool:
        """Whether its machine may be given attempts: not before it is ready, and not on its way out."""
        return self.phase is LeasePhase.READY

    @property
    def open(self) -> bool:
        """Whether the run has still to do with it."""
        return self.phase is not LeasePhase.ABSENT and not self.kept and not self.left


@define(eq=False)
class RentedState:
    """A pool whose machines are rented."""

    spec: RentedPool
    largest: Resources = Resources(cpus=0.0)
    """What one machine must have so that every task of the pool fits on it."""
    offers: tuple[tuple[Offer, ...], ...] | None = None
    """By kind; None while the present controller has not heard what there is."""
    offers_at: datetime | None = None
    room: dict[OfferKey, int] = field(factory=dict)
    """How many more the account might have when it was asked."""
    trouble: str = ""
    """Why the provider could not be asked; empty when it could."""
    trouble_at: datetime | None = None
    refusals: list[Refusal] = field(factory=list)
    barred: dict[OfferKey, str] = field(factory=dict)
    """Offers that the cloud will never give to us, and why."""
    preemptions: list[datetime] = field(factory=list)
    unreached: int = 0
    """How many machines in a row could not be reached after their launch."""
    last_failure: str = ""
    last_class: FailureClass = FailureClass.CAPACITY
    """Of the failure that the words before are about."""
    rented: int = 0
    """How many leases it has had."""
    open: int = 0
    """How many of its tasks have not ended, those among them whose members are still to be made."""

    def forget_offers(self) -> None:
        """Let a new controller ask anew what there is: what was refused to the last one may be there now."""
        self.offers = self.offers_at = self.trouble_at = None
        self.trouble = ""
        self.refusals.clear()
        self.barred.clear()
        self.unreached = 0

    def want(self, needs: Resources) -> None:
        """Take note of a task; when it is larger than all before, the provider has to be asked anew."""
        largest = Resources(
            cpus=max(needs.cpus, self.largest.cpus),
            memory_bytes=max(needs.memory_bytes, self.largest.memory_bytes),
            gpus=max(needs.gpus, self.largest.gpus),
            disk_bytes=max(needs.disk_bytes, self.largest.disk_bytes),
        )
        if largest != self.largest:
            self.largest = largest
            self.offers = self.offers_at = None
