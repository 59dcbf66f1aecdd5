"""``longshore watch``: a run on a full screen."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "watch",
    examples="""
    longshore watch
    longshore watch 20260314-092653
    longshore watch --at 14:05
    """,
)
@click.argument("run", required=False, shell_complete=runs)
@click.option("--at", "at", metavar="TIME", help="As it stood then: 14:05, 14:05:30 or '2026-03-14 14:05'.")
@folder_option
def command(_: Invocation, run: str | None, at: str | None, folder: Path | None) -> None:
    """Watch a run on a full screen: its graph, tasks, machines with load and cost, and logs.

    The latest run is meant by default; one that is over is shown as it ended. The keys stand in the last line: among
    them c and r cancel the chosen task or try it again, C and R do so with the run, and q leaves it alone. Needs
    textual: `python -m pip install 'longshore[watch]'`.
    """
    from longshore_cli.full_screen import watch

    watch(folder, run, at)
