"""What is to be done about leases. Each can be asked for again until the ledger or the cloud shows that it is done."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.lease import Evidence
from longshore.model.machine_spec import SideResource
from longshore.model.offer import Offer

__all__ = ["Absent", "Confirm", "Drain", "Intend", "Launch", "LeaseAction", "Missed", "Seen", "Sweep", "Terminate"]


@frozen
class Intend:
    """Write a new lease on this offer down, with its budgets; it is launched by a later turn."""

    pool: str
    offer: Offer


@frozen
class Launch:
    """Write down that the call is made, then make it, with the token of the lease's present launch."""

    lease: str


@frozen
class Confirm:
    """The cloud has this machine for the lease."""

    lease: str
    machine: str


@frozen
class Seen:
    """The machine is listed after all."""

    lease: str


@frozen
class Missed:
    """A list that counts lacks the machine."""

    lease: str
    at: datetime


@frozen
class Absent:
    """End the lease in the ledger: there is no machine."""

    lease: str
    evidence: Evidence


@frozen
class Drain:
    """Give the machine no more attempts, and end it when nobody needs its outputs."""

    lease: str
    reason: str


@frozen
class Terminate:
    """End machines; with a lease, write down first that it is ending."""

    machines: tuple[str, ...]
    reason: str
    lease: str = ""


@frozen
class Sweep:
    """Delete side resources that have no user, under the ledger's lock; together, since one may need another."""

    sides: tuple[SideResource, ...]


LeaseAction = Absent | Confirm | Drain | Intend | Launch | Missed | Seen | Sweep | Terminate
