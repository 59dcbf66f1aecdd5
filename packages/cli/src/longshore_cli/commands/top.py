"""``longshore top``: what the machines of a run and the attempts on them use now."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "top",
    of_run=True,
    examples="""
    longshore top
    longshore top 20260314-092653
    longshore top --json
    """,
)
@click.argument("run", required=False, shell_complete=runs)
@folder_option
@json_option
def command(invocation: Invocation, run: str | None, folder: Path | None) -> int:
    """Show what the machines and attempts of a running run use now.

    The latest run is meant by default. On a terminal it is a table that goes on until the run ends or you press Ctrl-C;
    else one moment is shown. Machines measure only while somebody looks.

    The JSON document is one moment: {"run", "machines": [{"machine", "pool", "cores", "cpus", "memory_bytes",
    "memory_total_bytes", "disk_bytes", "disk_total_bytes"}], "attempts": [{"task", "attempt", "machine", "cpus",
    "memory_bytes", "written_bytes"}]}. "cpus" are the cores that are busy; what a machine does not tell is null.
    """
    from longshore_cli.watching import show

    return show(invocation, folder, run)
