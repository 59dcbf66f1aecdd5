"""The verbs: each opens the fleet of a folder, does one thing, and closes it."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from pathlib import Path

from longshore.machines.collecting import collect
from longshore.machines.ending import chosen, end
from longshore.machines.ending import start as start_these
from longshore.machines.ending import stop as stop_these
from longshore.machines.finding import find_offers
from longshore.machines.fleet import Progress, open_fleet
from longshore.machines.imaging import delete_images, list_images, make_image
from longshore.machines.renting import rent
from longshore.machines.taking import end_machines_of
from longshore.machines.values import Collected, Deed, MachineInfo, OfferInfo, Overview, Quote, ResourceInfo, Unasked
from longshore.model.offer import Needs
from longshore.model.quantity import Money

__all__ = [
    "down",
    "end_run",
    "gc",
    "images",
    "list",
    "make_image_of",
    "offers",
    "remove_images",
    "start",
    "stop",
    "up",
]


def _silent(_: str) -> None:
    return


def _agree(_: Quote) -> bool:
    return True


def list(  # noqa: A001 - `machines.list` is what it does; nobody imports it bare
    folder: Path | str = ".",
    *,
    providers: Collection[str] = (),
    name: str = "",
    pool: str = "",
    resources: bool = False,
    tell: Progress = _silent,
) -> Overview:
    """Say what the clouds have of ours: all providers that are configured, leased from or installed, or those named.

    ``name`` and ``pool`` keep the machines of this label and of this pool; ``resources`` adds what is no machine. A
    provider that cannot be asked is in `Overview.unasked`, and the others are listed all the same.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return fleet.overview(providers, resources=resources).only(name=name, pool=pool)


def up(
    pool: str,
    *,
    folder: Path | str = ".",
    count: int = 1,
    name: str = "",
    lifetime: timedelta | None = None,
    max_cost: Money | None = None,
    agree: Callable[[Quote], bool] = _agree,
    tell: Progress = _silent,
) -> builtins.list[MachineInfo]:
    """Rent machines of a pool, all or none, and wait until they run; nothing when ``agree`` says no to the quote.

    They belong to no run, are used by runs of the project that have this pool, and end ``lifetime`` from now (the
    pool's by default) if not before. Several under one ``name`` are called ``name-1``, ``name-2`` and so on.

    Raises:
        UsageError: when there is no such pool, or a machine has the name already.
        BudgetExceeded: when ``max_cost`` (the pool's by default) does not bear all of them to their end.
        OutOfCapacity: when nobody has so many such machines now.
        ProviderError: when the cloud refuses otherwise. In all cases what was begun is ended.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return rent(fleet, pool, count=count, label=name, lifetime=lifetime, max_cost=max_cost, agree=agree)


def down(
    *names: str,
    folder: Path | str = ".",
    providers: Collection[str] = (),
    pool: str = "",
    foreign: bool = False,
    tell: Progress = _silent,
) -> builtins.list[Deed]:
    """End the machines that are named by id, ``provider/id`` or label, and with ``pool`` ours of that pool.

    Nothing else is ended: a name that fits nothing or several ends none at all, and one of another ledger is ended only
    with ``foreign``. That they are gone is proven by the next `gc` or run. What failed is in the deeds.

    Raises:
        UsageError: when a name fits nothing, several machines, or one of another ledger.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return end(fleet, chosen(fleet, names, providers=providers, pool=pool, foreign=foreign))


def start(
    *names: str,
    folder: Path | str = ".",
    providers: Collection[str] = (),
    pool: str = "",
    foreign: bool = False,
    tell: Progress = _silent,
) -> builtins.list[Deed]:
    """Power machines on that are named as for `down`; silently those that are on. Their addresses may be others.

    Raises:
        UsageError: as for `down`.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return start_these(fleet, chosen(fleet, names, providers=providers, pool=pool, foreign=foreign))


def stop(
    *names: str,
    folder: Path | str = ".",
    providers: Collection[str] = (),
    pool: str = "",
    foreign: bool = False,
    tell: Progress = _silent,
) -> builtins.list[Deed]:
    """Power machines off that are named as for `down`. What is on their disks stays and costs; so does the end time.

    Raises:
        UsageError: as for `down`.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return stop_these(fleet, chosen(fleet, names, providers=providers, pool=pool, foreign=foreign))


def end_run(run: str, *, label: str = "", folder: Path | str = ".", tell: Progress = _silent) -> builtins.list[str]:
    """End all machines that were rented for a run by whatever computer, and those called ``label``; name them.

    Returns when the clouds have proven that they are gone. Nobody may control the run any more.

    Raises:
        ProviderError: when a cloud cannot be asked, or still lists one after some minutes.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return end_machines_of(fleet, run, label)


def gc(
    folder: Path | str = ".",
    *,
    providers: Collection[str] = (),
    dry_run: bool = False,
    foreign: bool = False,
    patience: timedelta = timedelta(0),
    tell: Progress = _silent,
) -> Collected:
    """End what should not be there any more: strays of this ledger, leases past their end, what no machine uses.

    Machines of other ledgers are listed. They are ended when they are past their end time by ten minutes, or with
    ``foreign``. That something is gone must be listed twice, which takes a cloud's time: with ``patience`` that is
    waited for, at most so long; else a later call goes on.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return collect(fleet, providers=providers, dry_run=dry_run, foreign=foreign, patience=patience)


def offers(
    needs: Needs | None = None,
    *,
    folder: Path | str = ".",
    providers: Collection[str] = (),
    spot: bool | None = None,
    tell: Progress = _silent,
) -> tuple[builtins.list[OfferInfo], builtins.list[Unasked]]:
    """List what can be rented and has at least what is needed, the cheapest first and unknown prices last.

    ``spot`` True keeps spot machines, False all others. Answers also who could not be asked.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return find_offers(fleet, needs or Needs(), providers=providers, spot=spot)


def images(
    folder: Path | str = ".", *, providers: Collection[str] = (), tell: Progress = _silent
) -> tuple[builtins.list[ResourceInfo], builtins.list[Unasked]]:
    """List the owner's disk images. Answers also who could not be asked."""
    with open_fleet(Path(folder), tell=tell) as fleet:
        return list_images(fleet, providers)


def make_image_of(machine: str, name: str, *, folder: Path | str = ".", tell: Progress = _silent) -> ResourceInfo:
    """Make a disk image of a machine. A second call with the same name gives the same image.

    Raises:
        UsageError: when there is no such machine, the name is no good, or its cloud makes no images.
        ProviderError: when the cloud refuses.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return make_image(fleet, machine, name)


def remove_images(
    ids: Iterable[str],
    *,
    folder: Path | str = ".",
    providers: Collection[str] = (),
    foreign: bool = False,
    tell: Progress = _silent,
) -> builtins.list[Deed]:
    """Delete exactly these disk images; what failed is in the deeds.

    Raises:
        UsageError: when one is not there, in several clouds, or of another ledger without ``foreign``.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        return delete_images(fleet, builtins.list(ids), providers=providers, foreign=foreign)
