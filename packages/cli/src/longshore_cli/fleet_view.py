"""How machines, offers and what `gc` did are shown: as tables for people, as documents for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from longshore.machines import (
    Collected,
    Deed,
    MachineInfo,
    OfferInfo,
    Overview,
    Remaining,
    ResourceInfo,
    Unasked,
    Whose,
)
from longshore.model.lease import Lease
from longshore.model.offer import Price
from longshore.model.quantity import Money, format_size
from longshore_cli.output import answer, paint, say
from longshore_cli.text import clean, counted, duration, table

__all__ = [
    "amount",
    "collected_document",
    "deed_documents",
    "machine_document",
    "offer_document",
    "overview_document",
    "resource_document",
    "show_collected",
    "show_deeds",
    "show_machines",
    "show_offers",
    "show_overview",
    "show_resources",
    "show_unasked",
    "unasked_document",
]

_MACHINE_HEADINGS = (
    "NAME", "ID", "PROVIDER", "REGION", "TYPE", "STATE", "ADDRESS", "AGE", "PRICE", "ENDS", "RUN", "PROJECT",
)  # fmt: skip
_FOREIGN = (
    "They are of another ledger: a second computer of yours, a colleague or a CI job with the same login, or a state "
    "folder that was lost. They are ended ten minutes after their end time; `longshore gc --foreign` ends them now."
)


def show_overview(overview: Overview, now: datetime, *, resources: bool) -> None:
    """Print the machines, and what could not be told about them."""
    if overview.machines:
        show_machines(overview.machines, now)
    elif not overview.unasked or overview.whole:
        say("No machines.")
    if resources:
        show_resources(overview.resources)
    for lease in overview.unlisted:
        say(f"{clean(lease.spec.name or lease.id)} is {lease.phase} and not listed; `longshore gc` looks into it.")
    if any(row.whose is Whose.STRAY for row in overview.machines):
        say("Strays are of this computer's ledger, and no lease is on them; `longshore gc` ends them.")
    show_unasked(overview.unasked)


def show_machines(rows: Iterable[MachineInfo], now: datetime) -> None:
    """Print a table of machines."""
    lines = [
        [
            row.name,
            row.id,
            row.provider,
            row.region,
            f"{row.type} (spot)" if row.spot else row.type,
            row.state if row.whose is Whose.OURS else f"{row.state}, {row.whose}",
            row.address,
            duration(_seconds(now, row.born)) if row.born is not None else "",
            _price(row.price),
            _ends(row.ends_at, now),
            row.run,
            row.project,
        ]
        for row in rows
    ]
    answer(table(_cells(lines), _MACHINE_HEADINGS))


def _cells(lines: Iterable[Sequence[str]]) -> list[list[str]]:
    """Make what others have written safe to show in one line each."""
    return [[" ".join(clean(cell).split()) for cell in line] for line in lines]


def _seconds(now: datetime, born: datetime) -> Any:
    age = max(now, born) - born
    return type(age)(seconds=int(age.total_seconds()))


def _price(price: Price | None) -> str:
    return "?" if price is None else f"{amount(price.per_hour)}/h"


def amount(money: Money) -> str:
    """Write an amount with two decimals at least, and with more only where they say something."""
    figures = f"{money.amount.normalize():f}"
    whole, _, cents = figures.partition(".")
    return f"{whole}.{cents:0<2} {money.currency}"


def _ends(ends_at: datetime | None, now: datetime) -> str:
    if ends_at is None:
        return "?"
    return f"in {duration(_seconds(ends_at, now))}" if ends_at > now else "overdue"


def show_resources(rows: Sequence[ResourceInfo]) -> None:
    """Print a table of what is no machine."""
    if not rows:
        say("No other resources.")
        return
    lines = [[row.kind, row.id, row.provider, row.region, row.project, row.whose] for row in rows]
    answer(table(_cells(lines), ["KIND", "ID", "PROVIDER", "REGION", "PROJECT", "OF"]))


def show_unasked(unasked: Iterable[Unasked], *, verbose: bool = False) -> None:
    """Say who could not be asked; those that are merely installed only when ``verbose``."""
    for each in unasked:
        if each.expected or verbose:
            say(f"longshore: {each.provider} could not be asked: {clean(str(each.error))}")


def show_offers(rows: Sequence[OfferInfo]) -> None:
    """Print a table of offers."""
    lines = [
        [
            row.provider,
            row.offer.type,
            row.offer.zone or row.offer.region,
            f"{row.offer.resources.cpus:g}",
            format_size(row.offer.resources.memory_bytes),
            f"{row.offer.resources.gpus} {row.offer.gpu_model}".strip() if row.offer.resources.gpus else "",
            row.offer.arch,
            "spot" if row.offer.spot else "",
            _price(row.offer.price),
        ]
        for row in rows
    ]
    headings = ["PROVIDER", "TYPE", "WHERE", "CPUS", "MEMORY", "GPUS", "ARCH", "SPOT", "PRICE"]
    answer(table(_cells(lines), headings, right=(3, 4)))


def show_deeds(deeds: Iterable[Deed]) -> None:
    """Say what was done, and what was not, with why."""
    for deed in deeds:
        if deed.error is None:
            answer(clean(deed.what))
        else:
            say(f"longshore: {paint('not', 'bad')} {clean(deed.what)}: {clean(str(deed.error))}")


def show_collected(found: Collected, now: datetime) -> None:
    """Say what `gc` did, and what remains."""
    show_deeds(found.deeds)
    if found.foreign:
        show_machines(found.foreign, now)
    if found.foreign_resources:
        show_resources(found.foreign_resources)
    if found.foreign or found.foreign_resources:
        say(_FOREIGN)
    for each in found.remaining:
        say(f"{clean(each.what)}{_when(each, now)}")
    show_unasked(found.unasked)
    if found.clean:
        say("Clean: nothing of this computer's is left to be ended.")
    elif found.remaining:
        say(f"{counted(len(found.remaining), 'lease')} to be proven over: `longshore gc --wait` waits for it.")


def _when(each: Remaining, now: datetime) -> str:
    if each.until is None:
        return f"; {each.provider} must be asked, and could not be"
    return f" (its cloud can tell in {duration(_seconds(each.until, now))})" if each.until > now else ""


def machine_document(row: MachineInfo, now: datetime) -> dict[str, Any]:
    """Write a machine for a program."""
    return {
        "name": row.name,
        "id": row.id,
        "provider": row.provider,
        "account": row.account,
        "region": row.region,
        "zone": row.zone,
        "type": row.type,
        "spot": row.spot,
        "state": row.state,
        "whose": row.whose,
        "address": row.address,
        "born": row.born,
        "age_seconds": None if row.born is None else _seconds(now, row.born).total_seconds(),
        "price": _price_document(row.price),
        "ends_at": row.ends_at,
        "run": row.run,
        "project": row.project,
        "pool": row.pool,
        "lease": row.lease,
        "phase": row.phase,
    }


def _price_document(price: Price | None) -> dict[str, Any] | None:
    if price is None:
        return None
    per_hour = price.per_hour
    return {"per_hour": str(per_hour.amount), "currency": per_hour.currency, "source": price.source, "at": price.at}


def resource_document(row: ResourceInfo) -> dict[str, Any]:
    """Write what is no machine for a program."""
    return {
        "id": row.id,
        "kind": row.kind,
        "provider": row.provider,
        "region": row.region,
        "project": row.project,
        "whose": row.whose,
    }


def offer_document(row: OfferInfo) -> dict[str, Any]:
    """Write an offer for a program."""
    offer = row.offer
    return {
        "provider": row.provider,
        "type": offer.type,
        "region": offer.region,
        "zone": offer.zone,
        "cpus": offer.resources.cpus,
        "memory_bytes": offer.resources.memory_bytes,
        "gpus": offer.resources.gpus,
        "gpu_model": offer.gpu_model,
        "disk_bytes": offer.resources.disk_bytes,
        "arch": offer.arch,
        "spot": offer.spot,
        "price": _price_document(offer.price),
    }


def overview_document(overview: Overview, now: datetime, *, resources: bool) -> dict[str, Any]:
    """Write a list of machines for a program."""
    document: dict[str, Any] = {"machines": [machine_document(row, now) for row in overview.machines]}
    if resources:
        document["resources"] = [resource_document(row) for row in overview.resources]
    return document | {
        "unlisted": [_lease_document(lease) for lease in overview.unlisted],
        "unasked": unasked_document(overview.unasked),
    }


def _lease_document(lease: Lease) -> dict[str, Any]:
    return {
        "lease": lease.id,
        "name": lease.spec.name,
        "provider": lease.provider,
        "phase": lease.phase,
        "machine": lease.machine,
        "ends_at": lease.spec.ends_at,
    }


def unasked_document(unasked: Iterable[Unasked]) -> list[dict[str, Any]]:
    """Write who could not be asked, for a program."""
    return [
        {"provider": each.provider, "expected": each.expected, "error": _error_document(each.error)} for each in unasked
    ]


def _error_document(error: Exception | None) -> dict[str, str] | None:
    return None if error is None else {"kind": type(error).__name__, "message": clean(str(error))}


def deed_documents(deeds: Iterable[Deed]) -> list[dict[str, Any]]:
    """Write what was done for a program."""
    return [{"provider": deed.provider, "what": deed.what, "error": _error_document(deed.error)} for deed in deeds]


def collected_document(found: Collected, now: datetime, *, dry_run: bool) -> dict[str, Any]:
    """Write what `gc` did for a program."""
    return {
        "clean": found.clean,
        "dry_run": dry_run,
        "done": deed_documents(found.deeds),
        "remaining": [{"provider": each.provider, "what": each.what, "until": each.until} for each in found.remaining],
        "foreign": [machine_document(row, now) for row in found.foreign],
        "foreign_resources": [resource_document(row) for row in found.foreign_resources],
        "unasked": unasked_document(found.unasked),
    }
