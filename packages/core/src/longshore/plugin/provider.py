"""What a provider is: it rents machines from one cloud, so that none is ever lost or paid for twice.

Laws, by their numbers in the contract suite:

* P1 `Provider.launch` twice with one token: the same machines. Where a cloud cannot promise it, `launch` ends the
  duplicates that it sees, and all are seen within `Terms.settle`.
* P2 Whatever is sent under a token follows from the spec and the token alone, so that a repeat is identical. `launch`
  looks for the token's tag before it creates, sends the cloud's own idempotency key too, and creates once: the SDK's
  retries are off for creates.
* P3 `Provider.find` lists every machine with our owner tag, and none of anybody else's, however crowded the account.
  All tags of `MachineSpec.tags` come back as they were given.
* P4 `Provider.terminate` is silent for what is gone or unknown, and ends nothing that it was not told to end.
* P5 Every call has a deadline, `Terms.deadline`, and ends by it in an answer or in `CloudUnreachable`.
* P6 Every failure is a `ProviderError` of the class that fits, with the cause kept. No exception of an SDK gets out.
* P7 The end time and the tags are part of the create call, never a later step.
* P8 Nothing is printed; there is no global state; constructors do no I/O; no secret is in a repr, log line or message.
* P9 Side resources carry the owner's tags and are swept when asked, never while a machine needs them, and never
  somebody else's.

What an ability promises is a law of its name, as in ``Stoppable``; P5, P6 and P8 hold for its calls, too.

Methods may be called from several threads at once. A provider repeats reads only, and only within one call's deadline;
retrying, failover and counting are the core's work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from attrs import field, frozen
from attrs.validators import ge, gt, min_len

from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Needs, Offer, Price
from longshore.model.times import aware

__all__ = [
    "ABILITIES",
    "Admits",
    "Clusters",
    "HostKeys",
    "Identity",
    "Images",
    "Prices",
    "Provider",
    "Quota",
    "Quotas",
    "Scope",
    "SpotNotice",
    "SpotNotices",
    "Stoppable",
    "Sweeps",
    "Takings",
    "Terms",
]


@frozen(kw_only=True)
class Terms:
    """What a cloud is like, declared by its provider; the core's rules depend on it."""

    listing_lag: timedelta = field(default=timedelta(seconds=60), validator=ge(timedelta(0)))
    """How long after a change `Provider.find` may still show what was before."""
    settle: timedelta = field(default=timedelta(seconds=120), validator=ge(timedelta(0)))
    """How long after a launch duplicates under its token may still turn up."""
    deadline: timedelta = field(default=timedelta(seconds=60), validator=gt(timedelta(0)))
    """No call takes longer (law P5)."""
    ending: timedelta = field(default=timedelta(0), validator=ge(timedelta(0)))
    """How long a machine may take to end, once told to, beyond what all others of these times allow for."""
    power_off_still_costs: bool = False
    """Whether a machine that has powered itself off is still paid for, so that somebody must end it."""


@frozen(kw_only=True)
class Scope:
    """What a provider's answers are about."""

    account: str = field(validator=min_len(1))
    """Who pays; two providers of one account see the same machines."""
    regions: frozenset[str] = frozenset()
    """Where `Provider.find` looks; empty for everywhere."""

    def covers(self, account: str, region: str) -> bool:
        """Say whether a machine there would be found."""
        return account == self.account and (not self.regions or region in self.regions)


class Provider(Protocol):
    """Rents machines from one account of one cloud; the laws are at the top of this module."""

    @property
    def terms(self) -> Terms:
        """What this cloud is like. Known without asking it."""
        ...

    def scope(self) -> Scope:
        """Say whose machines `find` lists, and where it looks."""
        ...

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what can be rented and has at least what is needed, the cheapest first and unknown prices last."""
        ...

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """Begin to rent ``count`` machines, all or none; may return before they run. Repeatable by token.

        Raises:
            OutOfCapacity: there are none of this kind now. Nothing was rented.
            QuotaExceeded: the account may not have more. Nothing was rented.
            InvalidRequest: the cloud will never take this. Nothing was rented.
            CredentialsError: nobody is logged in. Nothing was rented.
            AccessDenied: this login may not rent. Nothing was rented.
            Throttled: too many requests. Nothing was rented.
            CloudUnreachable: no answer; there may be machines. Repeat with the same token, or look.
        """
        ...

    def find(self, *, owner: str) -> Sequence[Machine]:
        """List every machine with this owner's tag in the scope, and none of anybody else's; all of it or an error.

        Machines that have ended are not listed; those that are ending may be.
        """
        ...

    def terminate(self, machine_ids: Collection[str]) -> None:
        """Stop paying for machines. Silent for those that are gone or unknown; may return before they are gone.

        When some cannot be ended, the others are ended all the same before the error is raised.
        """
        ...


@runtime_checkable
class Stoppable(Protocol):
    """Ability: machines can be powered off and on again. Silent for what is already so; unknown ids are an error."""

    def stop(self, machine_ids: Collection[str]) -> None:
        """Power off; what is on the disk stays, and costs."""
        ...

    def start(self, machine_ids: Collection[str]) -> None:
        """Power on; the address may be another one."""
        ...


@frozen(kw_only=True)
class SpotNotice:
    """The cloud will take a spot machine back."""

    machine: str
    at: datetime = field(validator=aware)
    """When it goes, at the earliest."""


@runtime_checkable
class SpotNotices(Protocol):
    """Ability: the cloud says beforehand which spot machines it will take."""

    def notices(self, machine_ids: Collection[str]) -> Sequence[SpotNotice]:
        """List what is announced for these machines; nothing for unknown ones."""
        ...


@runtime_checkable
class Takings(Protocol):
    """Ability: the cloud says afterwards which spot machines it has taken back."""

    def taken(self, machine_ids: Collection[str]) -> Collection[str]:
        """Name those that the cloud itself has ended; none that run, that ended otherwise, or that are unknown."""
        ...


@frozen(kw_only=True)
class Quota:
    """How much of one kind the account may have in one region."""

    name: str
    """In the cloud's words, as its console shows it."""
    region: str
    limit: float = field(validator=ge(0))
    used: float = field(validator=ge(0))


@runtime_checkable
class Quotas(Protocol):
    """Ability: the account's limits can be looked at before a launch is tried."""

    def room(self, offer: Offer) -> int | None:
        """Say how many more such machines the account may have; None when the cloud does not tell."""
        ...

    def quotas(self) -> Sequence[Quota]:
        """List the limits that matter for machines."""
        ...


@runtime_checkable
class Prices(Protocol):
    """Ability: prices can be asked for again, for offers or machines that are already there."""

    def price(self, offer: Offer) -> Price | None:
        """Say what this costs now; None when nobody knows."""
        ...


@runtime_checkable
class HostKeys(Protocol):
    """Ability: the cloud itself tells a machine's host keys (guest attributes, console output)."""

    def host_keys(self, machine_id: str) -> Sequence[str]:
        """Give the machine's public host keys, as in ``known_hosts``; empty while they are not there yet."""
        ...


@runtime_checkable
class Identity(Protocol):
    """Ability: the cloud knows who is logged in. It is the owner of what is rented where the config names none."""

    def caller(self) -> str:
        """Name who is logged in, in at most 63 characters.

        The same on every computer and in every session of one person or job, and another one for another.
        """
        ...


@runtime_checkable
class Images(Protocol):
    """Ability: disk images can be listed, made of a machine, and deleted. They carry the owner's tags."""

    def images(self, *, owner: str) -> Sequence[SideResource]:
        """List images with this owner's tag."""
        ...

    def make_image(self, machine_id: str, name: str, tags: Mapping[str, str]) -> SideResource:
        """Make an image of a machine's disk. Repeatable by name."""
        ...

    def delete_images(self, ids: Collection[str]) -> None:
        """Delete images. Silent for those that are gone."""
        ...


@runtime_checkable
class Clusters(Protocol):
    """Ability: machines can be launched close to each other, all or none, on a network for themselves."""

    def launch_together(self, spec: MachineSpec, *, token: str, count: int) -> Sequence[Machine]:
        """As `Provider.launch`, with the machines in one placement group."""
        ...


@runtime_checkable
class Sweeps(Protocol):
    """Ability, and duty of every provider that makes side resources (law P9)."""

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        """Name what `launch` will make for this spec if it is not there. Asks nobody."""
        ...

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        """List every side resource with this owner's tag, and none of anybody else's."""
        ...

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        """Delete side resources of an owner. Silent for those that are gone or unknown, and for those that are another
        owner's or that a machine still uses: they stay.
        """
        ...


@runtime_checkable
class Admits(Protocol):
    """Ability: the firewall can be told a new address of the caller."""

    def address(self) -> str | None:
        """Say from which address the cloud sees the caller now; None when the config says who is admitted.

        Asks somebody outside; asked for now and then while there are machines, since callers move.
        """
        ...

    def admit(self, address: str, *, owner: str) -> None:
        """Let this address reach our machines, and no longer the one before it."""
        ...


ABILITIES: tuple[type, ...] = (
    Admits,
    Clusters,
    HostKeys,
    Identity,
    Images,
    Prices,
    Quotas,
    SpotNotices,
    Stoppable,
    Sweeps,
    Takings,
)
"""All protocols that a provider may implement besides `Provider`; `longshore.plugin.clusters` has two more, for those
whose machines are clusters.
"""
