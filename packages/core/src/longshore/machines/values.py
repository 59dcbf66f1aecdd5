"""What is said of machines: rows of a list, what was done to them, and what could not be asked."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import evolve, field, frozen

from longshore.errors import LongshoreError
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import MachineState
from longshore.model.offer import Offer, Price
from longshore.model.quantity import Money

__all__ = [
    "Collected",
    "Deed",
    "MachineInfo",
    "OfferInfo",
    "Overview",
    "Quote",
    "Remaining",
    "ResourceInfo",
    "Unasked",
    "Whose",
]


class Whose(StrEnum):
    """Who answers for a machine of our owner."""

    OURS = "ours"
    """It has a lease in this computer's ledger."""
    STRAY = "stray"
    """It is of this computer's ledger, and no lease lives that it could belong to; `gc` ends it."""
    FOREIGN = "foreign"
    """Another ledger's: a second computer, a colleague or a CI job with the same owner, or a state folder that is lost.
    """


@frozen(kw_only=True)
class MachineInfo:
    """A machine that a cloud lists, with what the ledger adds."""

    name: str
    """The label that it was given, else the lease's or the cloud's own id."""
    id: str
    """The cloud's own; what a machine is told by."""
    provider: str
    account: str
    region: str
    zone: str = ""
    type: str
    spot: bool = False
    state: MachineState
    address: str = ""
    born: datetime | None = None
    price: Price | None = None
    """None when nobody has said."""
    ends_at: datetime | None = None
    run: str = ""
    """Empty for one that belongs to no run."""
    project: str = ""
    pool: str = ""
    whose: Whose
    lease: str = ""
    """Id of its lease; empty for all that is not ours."""
    phase: LeasePhase | None = None
    host_key: str = ""
    """Fingerprint of the key that it was given at birth; empty when it was given none."""


@frozen(kw_only=True)
class ResourceInfo:
    """Something that is no machine, is tagged as the owner's, and may cost: a key, a network, a disk, an image."""

    id: str
    kind: str
    provider: str
    region: str = ""
    project: str = ""
    whose: Whose
    """Ours is what this ledger has made; foreign what another one has."""


@frozen(kw_only=True)
class Unasked:
    """A provider that could not be asked, so that what is listed may not be all."""

    provider: str
    error: LongshoreError
    expected: bool = True
    """Whether it is configured or has leases; else it is merely installed, and nobody may ever have logged in."""


@frozen(kw_only=True)
class Overview:
    """What the clouds have of the owner's."""

    machines: tuple[MachineInfo, ...] = ()
    resources: tuple[ResourceInfo, ...] = ()
    unlisted: tuple[Lease, ...] = ()
    """Leases that live and whose machines no cloud has listed: just launched, or ended and not yet proven so."""
    unasked: tuple[Unasked, ...] = ()

    def only(self, *, name: str = "", pool: str = "") -> Overview:
        """Keep what concerns machines of this label and of this pool; empty words mean all."""
        return evolve(
            self,
            machines=tuple(row for row in self.machines if name in {"", row.name} and pool in {"", row.pool}),
            unlisted=tuple(
                lease for lease in self.unlisted if name in {"", lease.spec.name} and pool in {"", lease.spec.pool}
            ),
        )

    @property
    def whole(self) -> bool:
        """Whether every provider that matters was asked."""
        return not any(each.expected for each in self.unasked)


@frozen(kw_only=True)
class OfferInfo:
    """An offer and who makes it."""

    provider: str
    offer: Offer


@frozen(kw_only=True)
class Quote:
    """What renting by hand would come to, before anything is asked of a cloud."""

    pool: str
    provider: str
    offer: Offer
    names: tuple[str, ...]
    """One for each machine."""
    ends_at: datetime
    most: Money | None = None
    """The most that all of them can cost until then; None when nobody knows the price."""
    bounded: bool = False
    """Whether a ``max_cost`` bounds it."""


@frozen(kw_only=True)
class Deed:
    """What was done, or tried."""

    provider: str
    what: str
    """In words: ``ended small-1 (i-000001): it is ours, and no lease is on it``."""
    error: LongshoreError | None = None
    """Why it was not done."""


@frozen(kw_only=True)
class Remaining:
    """What costs or may cost, and is on its way out."""

    provider: str
    what: str
    until: datetime | None = None
    """When asking again is of use; None when only somebody else can change it."""


@frozen(kw_only=True)
class Collected:
    """What `gc` did, and what remains."""

    deeds: tuple[Deed, ...] = ()
    """Of a dry run: what would be done."""
    remaining: tuple[Remaining, ...] = ()
    foreign: tuple[MachineInfo, ...] = ()
    foreign_resources: tuple[ResourceInfo, ...] = ()
    unasked: tuple[Unasked, ...] = field(default=())

    @property
    def clean(self) -> bool:
        """Whether nothing of ours is left to be ended or proven gone, and everybody was asked."""
        asked = not any(each.expected for each in self.unasked)
        return asked and not self.remaining and not any(deed.error for deed in self.deeds)
