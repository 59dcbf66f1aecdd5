"""From lists of clouds and the ledger to rows; and from the words of a user to rows. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from longshore.errors import UsageError
from longshore.machines.values import MachineInfo, Overview, ResourceInfo, Whose
from longshore.model.lease import Lease
from longshore.model.machine import Machine
from longshore.model.machine_spec import SideResource, Tag
from longshore.model.names import near
from longshore.model.times import read_time
from longshore.plugin.provider import Scope
from longshore.scheduler.leases import Book, Listing, sort_machines

__all__ = ["describe_all", "describe_resources", "lease_name", "pick", "unseen"]

_MOST_NAMED = 5


def lease_name(lease: Lease) -> str:
    """Give the name by which a lease's machine is known."""
    return lease.spec.name or lease.id


def unseen(lease: Lease, scope: Scope) -> str:
    """Say why a provider cannot see or end a lease's machine, and what mends it; empty when it can."""
    region = lease.spec.offer.region
    if lease.account != scope.account:
        return f"it is of the account {lease.account}, and the login is of {scope.account}: log in there"
    if not scope.covers(lease.account, region):
        looked = ", ".join(sorted(scope.regions))
        return f"it is in {region}, and [providers.{lease.provider}] looks in {looked}: name {region} there, too"
    return ""


def describe_all(book: Book, listing: Listing) -> list[MachineInfo]:
    """Make the rows of one provider's list, in the order of their names."""
    whose = sort_machines(book, listing)
    leases = {lease.id: lease for lease in book.leases}
    rows = [
        _row(listing, machine, Whose.OURS, leases[name])
        for name, machines in whose.leased.items()
        for machine in machines
    ]
    rows += [_row(listing, machine, Whose.STRAY) for machine in whose.strays]
    rows += [_row(listing, machine, Whose.FOREIGN) for machine in whose.foreign]
    return sorted(rows, key=lambda row: (row.name, row.id))


def _row(listing: Listing, machine: Machine, whose: Whose, lease: Lease | None = None) -> MachineInfo:
    tags = machine.tags
    name = tags.get(Tag.NAME, "") or (lease_name(lease) if lease else machine.id)
    return MachineInfo(
        name=name,
        id=machine.id,
        provider=lease.provider if lease else listing.provider,
        account=listing.scope.account,
        region=machine.region,
        zone=machine.zone,
        type=machine.type,
        spot=machine.spot,
        state=machine.state,
        address=machine.address,
        born=machine.born or (lease.requested_at if lease else None),
        price=lease.best_price if lease else None,
        ends_at=read_time(tags.get(Tag.ENDS_AT, "")) or (lease.spec.ends_at if lease else None),
        # A run may have taken over what was rented by hand, or by another; the tag does not change.
        run=lease.spec.run if lease else tags.get(Tag.RUN, ""),
        project=tags.get(Tag.PROJECT, ""),
        pool=tags.get(Tag.POOL, ""),
        whose=whose,
        lease=lease.id if lease else "",
        phase=lease.phase if lease else None,
        host_key=tags.get(Tag.HOST_KEY, ""),
    )


def describe_resources(provider: str, ledger: str, sides: Iterable[SideResource]) -> list[ResourceInfo]:
    """Make the rows of what is no machine, by kind and id."""
    rows = [
        ResourceInfo(
            id=side.id,
            kind=side.kind,
            provider=provider,
            region=side.region,
            project=side.tags.get(Tag.PROJECT, ""),
            whose=Whose.OURS if side.tags.get(Tag.LEDGER) == ledger else Whose.FOREIGN,
        )
        for side in sides
    ]
    return sorted(rows, key=lambda row: (row.kind, row.id))


def pick(words: Sequence[str], overview: Overview) -> list[MachineInfo | Lease]:
    """Find exactly what each word names: an id, ``provider/id``, a label, or a lease that no cloud lists.

    Raises:
        UsageError: when a word names nothing, or more than one machine; then none is given.
    """
    picked: dict[tuple[str, str], MachineInfo | Lease] = {}
    for word in words:
        found = list(_named(word, overview))
        if not found:
            raise UsageError(_unknown(word, overview))
        if len(found) > 1:
            choices = ", ".join(_address(each) for each in found)
            raise UsageError(f"{word!r} could be any of {choices}; name one of these")
        picked[_key(found[0])] = found[0]
    return list(picked.values())


def _named(word: str, overview: Overview) -> Iterator[MachineInfo | Lease]:
    machines = overview.machines
    # An id is nobody's label: what a machine is told by goes first.
    by_id = [row for row in machines if word in {row.id, f"{row.provider}/{row.id}", row.lease} and word]
    yield from by_id or [row for row in machines if row.name == word]
    if not by_id:
        yield from (lease for lease in overview.unlisted if word in {lease.id, lease.machine, lease.spec.name})


def _unknown(word: str, overview: Overview) -> str:
    names = [row.name for row in overview.machines] + [lease_name(lease) for lease in overview.unlisted]
    close = near(word, names)
    remedy = f"did you mean {' or '.join(close[:_MOST_NAMED])}?" if close else "`longshore machines list` lists them"
    missing = [each.provider for each in overview.unasked if each.expected]
    said = f", and {', '.join(missing)} could not be asked" if missing else ""
    return f"there is no machine {word!r}{said}; {remedy}"


def _address(found: MachineInfo | Lease) -> str:
    return f"{found.provider}/{found.id}" if isinstance(found, MachineInfo) else found.id


def _key(found: MachineInfo | Lease) -> tuple[str, str]:
    return found.provider, found.id
