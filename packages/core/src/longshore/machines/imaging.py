"""Disk images: listed, made of a machine, and deleted; on clouds whose provider can do that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from longshore.errors import LongshoreError, UsageError
from longshore.machines.describing import describe_resources, pick
from longshore.machines.fleet import Fleet
from longshore.machines.values import Deed, MachineInfo, ResourceInfo, Unasked, Whose
from longshore.model.machine_spec import SideResource, Tag
from longshore.model.names import check_name, near
from longshore.plugin.provider import Images
from longshore.runtime.leases import LeaseKeeper

__all__ = ["delete_images", "list_images", "make_image"]


def list_images(fleet: Fleet, providers: Collection[str] = ()) -> tuple[list[ResourceInfo], list[Unasked]]:
    """List the owner's images."""
    answers, unasked = fleet.ask(fleet.names(providers), _images)
    rows = [row for name, found in answers.items() for row in describe_resources(name, fleet.ledger.id, found)]
    return rows, unasked


def make_image(fleet: Fleet, machine: str, name: str) -> ResourceInfo:
    """Make an image of a machine's disk. A second call with the same name gives the same image.

    Raises:
        UsageError: when there is no such machine, the name is no good, or its cloud makes no images.
        ProviderError: when the cloud refuses.
    """
    try:
        check_name(name, "image name")
    except ValueError as error:
        raise UsageError(str(error)) from error
    found = pick([machine], fleet.overview())[0]
    if not isinstance(found, MachineInfo):
        raise UsageError(f"{machine!r} is not listed by its cloud yet, or any more; look again in a minute")
    keeper = fleet.keeper(found.provider)
    if not isinstance(keeper.provider, Images):
        raise UsageError(f"{found.provider} makes no images of machines")
    tags = {
        str(Tag.OWNER): keeper.owner,
        str(Tag.LEDGER): fleet.ledger.id,
        str(Tag.PROJECT): found.project or fleet.renting.project,
    }
    fleet.tell(f"{found.provider} makes the image {name} of {found.name}")
    image = keeper.provider.make_image(found.id, name, tags)
    return describe_resources(found.provider, fleet.ledger.id, [image])[0]


def delete_images(
    fleet: Fleet, ids: Sequence[str], *, providers: Collection[str] = (), foreign: bool = False
) -> list[Deed]:
    """Delete exactly these images.

    Raises:
        UsageError: when one is not there, in several clouds, or of another ledger without ``foreign``; then none is
            deleted.
    """
    rows, unasked = list_images(fleet, providers)
    doomed = [_one(each, rows, unasked) for each in dict.fromkeys(ids)]
    for row in doomed:
        if row.whose is Whose.FOREIGN and not foreign:
            raise UsageError(f"image {row.id} was made from another ledger; to delete it all the same add --foreign")
    deeds = []
    for row in doomed:
        provider = fleet.keeper(row.provider).provider
        error: LongshoreError | None = None
        try:
            if isinstance(provider, Images):
                provider.delete_images([row.id])
        except LongshoreError as caught:
            error = caught
        deeds.append(Deed(provider=row.provider, what=f"deleted image {row.id} ({row.provider})", error=error))
    return deeds


def _one(wanted: str, rows: Sequence[ResourceInfo], unasked: Sequence[Unasked]) -> ResourceInfo:
    found = [row for row in rows if wanted in {row.id, f"{row.provider}/{row.id}"}]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{wanted!r} could be any of {', '.join(f'{row.provider}/{row.id}' for row in found)}")
    close = near(wanted, [row.id for row in rows])
    missing = ", ".join(each.provider for each in unasked if each.expected)
    said = f", and {missing} could not be asked" if missing else ""
    remedy = f"did you mean {' or '.join(close)}?" if close else "`longshore images` lists them"
    raise UsageError(f"there is no image {wanted!r}{said}; {remedy}")


def _images(keeper: LeaseKeeper) -> Sequence[SideResource]:
    return keeper.provider.images(owner=keeper.owner) if isinstance(keeper.provider, Images) else []
