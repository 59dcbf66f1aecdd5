"""Reconciling: what the ledger says and what a cloud lists, compared; the same for a run, for `resume` and for `gc`.

The list is taken first and the ledger read afterwards. A machine is listed only if its lease was written down before,
so no machine that is just being launched is ever taken for a stray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from longshore.model.lease import Evidence, Lease, LeasePhase, Proof
from longshore.model.machine import Machine
from longshore.model.machine_spec import SideResource, Tag
from longshore.model.times import read_time
from longshore.plugin.provider import Scope, Terms
from longshore.scheduler.lease_actions import (
    Absent,
    Confirm,
    Launch,
    LeaseAction,
    Missed,
    Seen,
    Sweep,
    Terminate,
)

__all__ = ["GRACE", "Book", "Listing", "Sorted", "counts_from", "must_end", "reconcile", "sort_machines"]

GRACE = timedelta(minutes=10)
"""So much later than it should have ended by itself a machine is ended by whoever finds it."""
_APART = timedelta(seconds=1)
"""Two lists that miss a machine lie at least so far apart, whatever a cloud says of its lag."""
_TWICE = 2


@frozen(kw_only=True)
class Book:
    """The ledger, as it was read after the list was taken."""

    ledger: str
    leases: tuple[Lease, ...]
    """Those that live."""
    tokens: Mapping[str, str]
    """The lease of each token of each of their launches."""
    over: frozenset[str] = frozenset()
    """Runs that have ended: succeeded, failed or cancelled. Their machines go."""
    attended: frozenset[str] = frozenset()
    """Runs that the caller controls. Others may have a controller elsewhere, or none."""
    busy: frozenset[str] = frozenset()
    """Leases with a call of the caller's under way; they are left alone."""
    unused: tuple[SideResource, ...] = ()
    """Side resources that no living lease uses."""


@frozen(kw_only=True)
class Listing:
    """What one provider has found, whole."""

    provider: str
    scope: Scope
    terms: Terms
    asked_at: datetime
    """When the call began; what has happened since may be missing."""
    machines: tuple[Machine, ...]


@frozen(kw_only=True)
class Sorted:
    """Whose machines they are."""

    leased: Mapping[str, tuple[Machine, ...]]
    """By lease, in the order of their ids; more than one where a launch was done twice."""
    strays: tuple[Machine, ...] = ()
    """Of our ledger, without a living lease."""
    foreign: tuple[Machine, ...] = ()
    """Of our owner, and of another ledger: a second laptop, a colleague, a CI job."""


def sort_machines(book: Book, listing: Listing) -> Sorted:
    """Say whose each listed machine is."""
    # Another cloud may call a machine of its own the same.
    by_machine = {lease.machine: lease.id for lease in book.leases if lease.provider == listing.provider}
    leased: dict[str, tuple[Machine, ...]] = {}
    strays: list[Machine] = []
    foreign: list[Machine] = []
    for machine in sorted(listing.machines, key=lambda each: each.id):
        ours = machine.tags.get(Tag.LEDGER) == book.ledger
        # One that was taken over has the tag of the ledger that it was rented under; tokens are our ledger's alone.
        lease = by_machine.get(machine.id) or (book.tokens.get(machine.tags.get(Tag.TOKEN, "")) if ours else None)
        if lease is not None:
            leased[lease] = (*leased.get(lease, ()), machine)
        else:
            (strays if ours else foreign).append(machine)
    return Sorted(leased=leased, strays=tuple(strays), foreign=tuple(foreign))


def reconcile(
    book: Book,
    listing: Listing,
    now: datetime,
    *,
    grace: timedelta = GRACE,
    end_foreign: bool = False,
) -> list[LeaseAction]:
    """Say what follows from a list for the leases that it is about, for strays and for foreign machines.

    Foreign machines are ended only when they are past their end time by more than ``grace``, or with ``end_foreign``.
    """
    machines = sort_machines(book, listing)
    actions: list[LeaseAction] = []
    for lease in book.leases:
        concerned = lease.provider == listing.provider and listing.scope.covers(lease.account, lease.spec.offer.region)
        if concerned and lease.id not in book.busy:
            actions += _of_lease(book, listing, lease, machines.leased.get(lease.id, ()), now, grace)
    actions += [Terminate((each.id,), "it is ours, and no lease is on it") for each in machines.strays]
    for each in machines.foreign:
        ends_at = read_time(each.tags.get(Tag.ENDS_AT, ""))
        if end_foreign:
            actions.append(Terminate((each.id,), "foreign machines are to be ended"))
        elif ends_at is not None and now > ends_at + grace:
            actions.append(
                Terminate((each.id,), f"it is foreign and should have ended at {ends_at:%Y-%m-%d %H:%M} UTC")
            )
    return [*actions, Sweep(book.unused)] if book.unused else actions


def _of_lease(
    book: Book, listing: Listing, lease: Lease, found: Sequence[Machine], now: datetime, grace: timedelta
) -> list[LeaseAction]:
    """Say what follows for one lease. Whether it must end is asked first, since that holds in every phase."""
    why = must_end(book, lease, now, grace)
    if lease.phase is LeasePhase.INTENDED:
        return _of_intent(book, lease, found, why, now)
    if not found:
        repeat = lease.phase is LeasePhase.REQUESTED and lease.spec.run in book.attended and not why
        return [Launch(lease.id)] if repeat else _missed(listing, lease)
    kept = next((each for each in found if each.id == lease.machine), found[0])
    actions: list[LeaseAction] = []
    if lease.phase is LeasePhase.REQUESTED:
        actions.append(Confirm(lease.id, kept.id))
    elif lease.misses:
        actions.append(Seen(lease.id))
    extra = tuple(each.id for each in found if each is not kept)
    if extra:
        actions.append(Terminate(extra, "the launch was done twice"))
    if lease.phase is LeasePhase.ENDING:
        why = "its end was asked for, and it is still there"
    if why:
        actions.append(Terminate((kept.id,), why, lease.id))
    return actions


def _of_intent(book: Book, lease: Lease, found: Sequence[Machine], why: str, now: datetime) -> list[LeaseAction]:
    actions: list[LeaseAction] = []
    if found:  # of an earlier launch, which the cloud had refused
        actions.append(Terminate(tuple(each.id for each in found), "it is of a launch that was refused"))
    if why:
        actions.append(Absent(lease.id, Evidence(proof=Proof.NEVER_REQUESTED, text=why, at=now)))
    elif lease.spec.run in book.attended:
        actions.append(Launch(lease.id))
    return actions


def must_end(book: Book, lease: Lease, now: datetime, grace: timedelta = GRACE) -> str:
    """Say why a lease must end now; empty when it need not."""
    if lease.spec.run in book.over and not lease.kept:
        return "its run has ended"
    if now >= lease.spec.ends_at:
        return "its end time has come"
    alone = lease.spec.run not in book.attended and lease.phase is not LeasePhase.STOPPED
    if alone and now > lease.unattended_at + grace:
        return "nobody has attended to it"
    return ""


def counts_from(lease: Lease, terms: Terms) -> datetime:
    """Say from when on a list that lacks the lease's machine counts as a proof of its absence."""
    asked = lease.asked_at or lease.since
    answered = asked + terms.deadline
    if lease.machine and lease.asked_at == lease.requested_at:
        # The only call there was has made the machine that is known, and so was over when the phase began.
        answered = min(answered, lease.since)
    # What a call has made may take `settle` to turn up, and the list lags.
    earliest = answered + terms.settle + terms.listing_lag
    if not lease.misses:
        return earliest
    return max(earliest, lease.misses[-1] + max(terms.listing_lag, _APART))


def _missed(listing: Listing, lease: Lease) -> list[LeaseAction]:
    """Count a list that lacks the machine, if it came late enough; twice is proof."""
    at, misses = listing.asked_at, lease.misses
    actions: list[LeaseAction] = []
    if at >= counts_from(lease, listing.terms) and len(misses) < _TWICE:
        misses = (*misses, at)
        actions.append(Missed(lease.id, at))
    if len(misses) >= _TWICE:
        text = "missing in lists of " + " and ".join(f"{each:%Y-%m-%d %H:%M:%S}" for each in misses) + " UTC"
        actions.append(Absent(lease.id, Evidence(proof=Proof.NOT_LISTED, text=text, at=at)))
    return actions
