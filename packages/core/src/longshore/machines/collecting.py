"""Finding and ending what should not be there any more: ``gc``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, field

from longshore.errors import CloudUnreachable, LongshoreError, Throttled
from longshore.machines.describing import describe_all, describe_resources, lease_name, unseen
from longshore.machines.fleet import Fleet
from longshore.machines.making import abandoned
from longshore.machines.values import Collected, Deed, MachineInfo, Remaining, ResourceInfo, Unasked, Whose
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine_spec import SideResource
from longshore.plugin.provider import Sweeps
from longshore.runtime.leases import LeaseKeeper
from longshore.scheduler.lease_actions import Absent, Confirm, LeaseAction, Missed, Seen, Sweep, Terminate
from longshore.scheduler.leases import Book, Listing, counts_from, must_end, reconcile

__all__ = ["collect"]

_MOST_ROUNDS = 5
_SHORTEST = timedelta(seconds=1)
"""Between two lists that are waited for."""
_BREATH = timedelta(seconds=5)
"""After a cloud was too busy to answer."""


def collect(
    fleet: Fleet,
    *,
    providers: Collection[str] = (),
    dry_run: bool = False,
    foreign: bool = False,
    patience: timedelta = timedelta(0),
) -> Collected:
    """End the strays of this ledger, leases that must end, and what no machine uses; list what is foreign.

    Foreign machines are ended when they are past their end time by ten minutes, or with ``foreign``. With ``patience``
    it waits until the clouds have proven that what was ended is gone, at most for so long.
    """
    until = fleet.now() + patience
    done = _Done()
    while True:
        found = _round(fleet, providers, foreign=foreign, dry_run=dry_run, done=done)
        again = _again_at(found, fleet.now())
        if dry_run or again is None or again > until:
            return found
        fleet.tell("waiting until the clouds show that what was ended is gone")
        fleet.wait(max(again - fleet.now(), _SHORTEST))


def _again_at(found: Collected, now: datetime) -> datetime | None:
    """Say when another look can show something new; None when it cannot."""
    moments = [each.until for each in found.remaining if each.until is not None]
    errors = [deed.error for deed in found.deeds] + [each.error for each in found.unasked if each.expected]
    if any(isinstance(error, Throttled | CloudUnreachable) for error in errors):
        moments.append(now + _BREATH)
    return min(moments, default=None)


@define
class _Done:
    """What has been done in all rounds: the same deed is told once."""

    deeds: dict[tuple[str, str], Deed] = field(factory=dict)

    def add(self, deed: Deed) -> None:
        self.deeds[deed.provider, deed.what] = deed


def _round(fleet: Fleet, providers: Collection[str], *, foreign: bool, dry_run: bool, done: _Done) -> Collected:
    """Look at all providers and do what follows, until nothing more follows at once."""
    asked = fleet.names(providers)
    looked = fleet.look(asked)
    for _ in range(_MOST_ROUNDS):
        progress = False
        for listing in looked.listings.values():
            progress |= _settle(fleet, listing, foreign=foreign, dry_run=dry_run, done=done)
        if dry_run or not progress:
            break
        looked = fleet.look(asked)
    sides, unasked = fleet.ask(looked.listings, _sides)
    for name, found in sides.items():
        _sweep_strays(fleet.keeper(name), found, foreign=foreign, dry_run=dry_run, done=done)
    if not dry_run:
        sides, _ = fleet.ask(looked.listings, _sides)
    return _summed(fleet, looked.listings, sides, (*looked.unasked, *unasked), done)


def _settle(fleet: Fleet, listing: Listing, *, foreign: bool, dry_run: bool, done: _Done) -> bool:
    """Do what follows from one list; say whether something else may follow from what was done."""
    keeper = fleet.keeper(listing.provider)
    progress = _end_abandoned(keeper, dry_run=dry_run, done=done)
    book = keeper.book()
    for action in reconcile(book, listing, fleet.now(), end_foreign=foreign):
        error: LongshoreError | None = None
        if not dry_run:
            try:
                keeper.perform(action, listing)
            except LongshoreError as caught:
                error = caught
        progress |= isinstance(action, Absent | Confirm | Missed) and error is None
        words = _words(action, book, listing, dry_run=dry_run)
        if words:
            done.add(Deed(provider=keeper.name, what=words, error=error))
    return progress


def _end_abandoned(keeper: LeaseKeeper, *, dry_run: bool, done: _Done) -> bool:
    """End what somebody began to rent and will not finish; say whether there was any."""
    leases = [lease for lease in abandoned(keeper.ledger) if lease.provider == keeper.name]
    for lease in leases:
        error: LongshoreError | None = None
        why = "whoever rented it was interrupted half-way"
        if not dry_run:
            try:
                keeper.end(lease.id, why)
            except LongshoreError as caught:
                error = caught
        words = f"{'would end' if dry_run else 'ended'} {lease_name(lease)}: {why}"
        done.add(Deed(provider=keeper.name, what=words, error=error))
    return bool(leases) and not dry_run


def _words(action: LeaseAction, book: Book, listing: Listing, *, dry_run: bool) -> str:
    """Say what an action is to its reader; nothing for mere book-keeping."""
    rows = {row.id: row for row in describe_all(book, listing)}
    match action:
        case Terminate(machines, reason):
            names = [f"{rows[each].name} ({listing.provider}/{each})" if each in rows else each for each in machines]
            return f"{'would end' if dry_run else 'ended'} {', '.join(names)}: {reason}"
        case Sweep(sides):
            what = ", ".join(f"{side.kind or 'resource'} {side.id}" for side in sides)
            them = "it" if len(sides) == 1 else "them"
            return f"{'would delete' if dry_run else 'deleted'} {what}: nothing uses {them}"
        case Absent(name, evidence):
            return f"closed lease {name}: {evidence.text}"
        case Confirm() | Seen() | Missed():
            return ""
        case _:
            return ""  # launches and what pools decide never follow from a list for somebody who controls no run


def _sides(keeper: LeaseKeeper) -> Sequence[SideResource]:
    if not isinstance(keeper.provider, Sweeps):
        return []
    return keeper.provider.find_sides(owner=keeper.owner)


def _sweep_strays(
    keeper: LeaseKeeper, found: Sequence[SideResource], *, foreign: bool, dry_run: bool, done: _Done
) -> None:
    """Delete what is tagged as ours and the ledger does not know of, and with ``foreign`` what others have left.

    What a machine still uses stays, by law P9.
    """
    provider = keeper.provider
    if not isinstance(provider, Sweeps):
        return
    rows = {row.id: row for row in describe_resources(keeper.name, keeper.ledger.id, found)}
    with keeper.ledger.sides(keeper.name, keeper.scope.account) as known:
        doomed = [
            row
            for row in rows.values()
            if (row.whose is Whose.OURS and not known.knows(row.id)) or (foreign and row.whose is Whose.FOREIGN)
        ]
        if not doomed:
            return
        error: LongshoreError | None = None
        left: set[str] = set()
        if not dry_run:
            try:
                provider.sweep([row.id for row in doomed], owner=keeper.owner)
                left = {side.id for side in provider.find_sides(owner=keeper.owner)}
            except LongshoreError as caught:
                error = caught
    for row in doomed:
        if row.id not in left:
            verb = "would delete" if dry_run else "deleted"
            why = "it is another ledger's" if row.whose is Whose.FOREIGN else "it is ours, and no lease knows it"
            done.add(Deed(provider=keeper.name, what=f"{verb} {row.kind} {row.id}: {why}", error=error))


def _summed(
    fleet: Fleet,
    listings: Mapping[str, Listing],
    sides: Mapping[str, Sequence[SideResource]],
    unasked: tuple[Unasked, ...],
    done: _Done,
) -> Collected:
    strangers: dict[tuple[str, str], MachineInfo] = {}
    for name, listing in listings.items():
        for row in describe_all(fleet.keeper(name).book(), listing):
            if row.whose is Whose.FOREIGN:
                strangers.setdefault((row.account, row.id), row)
    resources: list[ResourceInfo] = [
        row
        for name, found in sides.items()
        for row in describe_resources(name, fleet.ledger.id, found)
        if row.whose is Whose.FOREIGN
    ]
    return Collected(
        deeds=tuple(done.deeds.values()),
        remaining=tuple(_remaining(fleet, listings)),
        foreign=tuple(strangers.values()),
        foreign_resources=tuple(resources),
        unasked=unasked,
    )


def _remaining(fleet: Fleet, listings: Mapping[str, Listing]) -> Iterator[Remaining]:
    """List the leases that are on their way out, also those whose machines are where nobody looks."""
    for lease in fleet.ledger.leases():
        listing = listings.get(lease.provider)
        why, until = _why_open(lease, listing, fleet.now()), _until(lease, listing)
        hidden = unseen(lease, listing.scope) if listing is not None else ""
        if hidden:
            why = why or must_end(fleet.keeper(lease.provider).book(), lease, fleet.now())
            why, until = why and f"{why}; {hidden}", None
        if why:
            yield Remaining(provider=lease.provider, what=f"{lease_name(lease)}: {why}", until=until)


def _why_open(lease: Lease, listing: Listing | None, now: datetime) -> str:
    """Say what is not proven yet of a lease; empty for one that is wanted or whose launch is under way."""
    if lease.phase is LeasePhase.ENDING:
        return "its end was asked for, and is not proven yet"
    answered_by = (lease.asked_at or lease.since) + (listing.terms.deadline if listing is not None else timedelta(0))
    if lease.phase is LeasePhase.REQUESTED and now >= answered_by:
        return "a launch was asked for, and it is not known yet whether there is a machine"
    if lease.misses:
        return "its cloud has not listed it lately, and it is not proven gone yet"
    return ""


def _until(lease: Lease, listing: Listing | None) -> datetime | None:
    if listing is None:
        return None
    return max(counts_from(lease, listing.terms), listing.asked_at + max(listing.terms.listing_lag, _SHORTEST))
