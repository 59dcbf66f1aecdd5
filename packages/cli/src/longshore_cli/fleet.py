"""What ``machines``, ``gc``, ``offers`` and ``images`` do, once their words are read: the library's verbs, told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from longshore import machines
from longshore.machines import Collected, MachineInfo, Quote
from longshore.model.offer import Needs
from longshore.model.quantity import Money
from longshore.runtime.project import Project
from longshore_cli.away.seats import seats_of
from longshore_cli.fleet_view import (
    amount,
    collected_document,
    deed_documents,
    machine_document,
    offer_document,
    overview_document,
    resource_document,
    show_collected,
    show_deeds,
    show_machines,
    show_offers,
    show_overview,
    show_resources,
    show_unasked,
    unasked_document,
)
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, can_ask, say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import clean, counted, moment

__all__ = [
    "agreement",
    "change",
    "clean_up",
    "delete_images",
    "list_images",
    "make_image",
    "rent",
    "show_list",
    "show_offered",
    "show_rented",
]


def _now() -> datetime:
    return datetime.now(UTC)


def show_list(
    invocation: Invocation, folder: Path | None, *, providers: Sequence[str], name: str, pool: str, resources: bool
) -> int:
    """List machines; exit code 1 when not everybody could be asked."""
    with telling(invocation) as tell:
        overview = machines.list(
            folder_of(folder), providers=providers, name=name, pool=pool, resources=resources, tell=tell
        )
    if invocation.json:
        answer_json(overview_document(overview, _now(), resources=resources))
    else:
        show_overview(overview, _now(), resources=resources)
        for seat in seats_of(Project(folder_of(folder))):
            if seat.rented in {row.name for row in overview.machines}:
                say(f"{seat.rented} has all there is of run {seat.run}; when it is over, `longshore fetch` ends it.")
    return 0 if overview.whole else 1


def rent(
    invocation: Invocation,
    folder: Path | None,
    pool: str,
    *,
    count: int,
    name: str,
    lifetime: timedelta | None,
    max_cost: Money | None,
    asking: bool,
) -> int:
    """Rent machines, after a question where nothing bounds what they cost."""
    with telling(invocation) as tell:
        rows = machines.up(
            pool,
            folder=folder_of(folder),
            count=count,
            name=name,
            lifetime=lifetime,
            max_cost=max_cost,
            agree=agreement(invocation, asking=asking),
            tell=tell,
        )
    show_rented(invocation, rows)
    return 0


def show_rented(invocation: Invocation, rows: Sequence[MachineInfo]) -> None:
    """Print machines that have just been rented."""
    now = _now()
    if invocation.json:
        answer_json({"machines": [machine_document(row, now) for row in rows]})
    else:
        show_machines(rows, now)


def agreement(invocation: Invocation, *, asking: bool) -> Callable[[Quote], bool]:
    """Make what agrees to a quote: after a question where nothing bounds what it costs, if ``asking``."""

    def agree(quote: Quote) -> bool:
        if asking and not quote.bounded:
            _ask(quote)
        invocation.began = True
        return True

    return agree


def _ask(quote: Quote) -> None:
    """Ask whether so much may be spent.

    Raises:
        click.UsageError: when nobody can be asked.
        click.Abort: when the answer is no.
    """
    what = f"{counted(len(quote.names), 'machine')} ({clean(str(quote.offer))}, {quote.provider})"
    most = f"at most {amount(quote.most)}" if quote.most else "nobody knows what that costs"
    if not can_ask():
        raise click.UsageError(f"{what} until {moment(quote.ends_at)}: {most}; say --yes, or --max-cost")
    click.echo("\r\x1b[K", nl=False, err=True)
    click.confirm(f"Rent {what} until {moment(quote.ends_at)}, {most}?", abort=True, err=True)


def change(
    invocation: Invocation,
    folder: Path | None,
    verb: str,
    names: Sequence[str],
    *,
    providers: Sequence[str],
    pool: str,
    foreign: bool,
) -> int:
    """End, stop or start machines; exit code 1 when one could not be."""
    act = {"down": machines.down, "stop": machines.stop, "start": machines.start}[verb]
    with telling(invocation) as tell:
        deeds = act(*names, folder=folder_of(folder), providers=providers, pool=pool, foreign=foreign, tell=tell)
    if invocation.json:
        answer_json({"done": deed_documents(deeds)})
    else:
        show_deeds(deeds)
        if not deeds:
            say(f"There is no machine of pool {pool}.")
    return 1 if any(deed.error for deed in deeds) else 0


def clean_up(
    invocation: Invocation,
    folder: Path | None,
    *,
    providers: Sequence[str],
    dry_run: bool,
    foreign: bool,
    asking: bool,
    patience: timedelta,
) -> int:
    """End what was forgotten; exit code 1 when something of ours is left."""
    place = folder_of(folder)
    project = Project(place)
    if project.unclosed() and not dry_run:
        from longshore_cli.tidying import tidy_up

        tidy_up(project, project.unclosed())
    with telling(invocation) as tell:
        if foreign and asking and not dry_run:
            _ask_about_foreign(machines.gc(place, providers=providers, dry_run=True, tell=tell))
        found = machines.gc(place, providers=providers, dry_run=dry_run, foreign=foreign, patience=patience, tell=tell)
    if invocation.json:
        answer_json(collected_document(found, _now(), dry_run=dry_run))
    else:
        show_collected(found, _now())
    return 0 if found.clean else 1


def _ask_about_foreign(found: Collected) -> None:
    """Ask whether what others may still need is to be ended.

    Raises:
        click.UsageError: when nobody can be asked.
        click.Abort: when the answer is no.
    """
    if not found.foreign and not found.foreign_resources:
        return
    what = f"{counted(len(found.foreign), 'machine')} of other ledgers"
    if not can_ask():
        raise click.UsageError(f"{what} would be ended, and somebody may still need them; say --yes if not")
    click.echo("\r\x1b[K", nl=False, err=True)
    show_machines(found.foreign, _now())
    click.confirm(f"End {what}, which somebody may still need?", abort=True, err=True)


def show_offered(
    invocation: Invocation, folder: Path | None, needs: Needs, *, providers: Sequence[str], spot: bool | None, most: int
) -> int:
    """List offers; exit code 1 when not everybody could be asked."""
    with telling(invocation) as tell:
        rows, unasked = machines.offers(needs, folder=folder_of(folder), providers=providers, spot=spot, tell=tell)
    if invocation.json:
        answer_json({"offers": [offer_document(row) for row in rows], "unasked": unasked_document(unasked)})
        return 1 if any(each.expected for each in unasked) else 0
    if rows:
        show_offers(rows[:most])
    if len(rows) > most:
        say(f"and {len(rows) - most:,} more, dearer or without a price; --most shows more")
    if not rows:
        say("Nobody offers that.")
    show_unasked(unasked, verbose=not rows)
    return 1 if any(each.expected for each in unasked) else 0


def list_images(invocation: Invocation, folder: Path | None, providers: Sequence[str]) -> int:
    """List disk images; exit code 1 when not everybody could be asked."""
    with telling(invocation) as tell:
        rows, unasked = machines.images(folder_of(folder), providers=providers, tell=tell)
    if invocation.json:
        answer_json({"images": [resource_document(row) for row in rows], "unasked": unasked_document(unasked)})
    else:
        if rows:
            show_resources(rows)
        else:
            say("No images.")
        show_unasked(unasked)
    return 1 if any(each.expected for each in unasked) else 0


def make_image(invocation: Invocation, folder: Path | None, machine: str, name: str) -> None:
    """Make a disk image."""
    with telling(invocation) as tell:
        row = machines.make_image_of(machine, name, folder=folder_of(folder), tell=tell)
    if invocation.json:
        answer_json({"image": resource_document(row)})
    else:
        answer(clean(row.id))


def delete_images(
    invocation: Invocation, folder: Path | None, ids: Sequence[str], *, providers: Sequence[str], foreign: bool
) -> int:
    """Delete disk images; exit code 1 when one could not be."""
    with telling(invocation) as tell:
        deeds = machines.remove_images(ids, folder=folder_of(folder), providers=providers, foreign=foreign, tell=tell)
    if invocation.json:
        answer_json({"done": deed_documents(deeds)})
    else:
        show_deeds(deeds)
    return 1 if any(deed.error for deed in deeds) else 0
