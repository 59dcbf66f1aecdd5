"""``longshore gc``: end the machines that were forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.commands.machines import provider_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]

_PATIENCE = timedelta(minutes=15)
"""Clouds take some minutes to show for certain that something is gone."""


@subcommand(
    "gc",
    examples="""
    longshore gc --dry-run
    longshore gc --wait
    longshore gc --install-timer
    longshore gc --foreign --provider aws
    """,
)
@click.option("--dry-run", is_flag=True, help="Say what would be ended, and end nothing.")
@click.option("--wait", is_flag=True, help="Wait, 15 minutes at most, until the clouds have shown that all is gone.")
@click.option("--foreign", is_flag=True, help="End also what is of other ledgers, whoever needs it.")
@click.option("--install-timer", is_flag=True, help="Do this every hour from now on; see `longshore schedule`.")
@provider_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask before foreign machines are ended.")
@folder_option
@json_option
def command(
    invocation: Invocation,
    dry_run: bool,
    wait: bool,
    foreign: bool,
    install_timer: bool,
    providers: tuple[str, ...],
    yes: bool,
    folder: Path | None,
) -> int:
    """End what was forgotten: machines, and what belongs to them, on every cloud.

    By itself it ends only what is of this computer's ledger: strays, machines past their end time, what an interrupted
    `machines up` has left, and keys, networks or disks that no machine uses. Machines of other ledgers (a second
    computer, a colleague, a CI job) are listed, and ended ten minutes after their end time, or by --foreign. After a
    lost state folder your own machines are such, too.

    Exit code 0 when it is clean; 1 when something of this computer's is left, or not yet proven gone.

    The JSON document is {"clean", "dry_run", "done": [{"provider", "what", "error"}], "remaining": [{"provider",
    "what", "until"}], "foreign": [machine], "foreign_resources": [resource], "unasked": [{"provider", "expected",
    "error"}]}, with machines and resources as `longshore machines list` has them.
    """
    if install_timer:
        if dry_run or foreign or wait:
            raise click.UsageError("--install-timer goes alone", click.get_current_context())
        from longshore_cli.scheduling.verbs import add

        return add(invocation, folder, "gc", "every 1 h", ("gc", "--wait", *_asked_only(providers)))
    from longshore_cli.fleet import clean_up

    return clean_up(
        invocation,
        folder,
        providers=providers,
        dry_run=dry_run,
        foreign=foreign,
        asking=not yes,
        patience=_PATIENCE if wait else timedelta(0),
    )


def _asked_only(providers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for name in providers for word in ("--provider", name))
