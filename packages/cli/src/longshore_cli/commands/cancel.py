"""``longshore cancel``: end a run, or some of its tasks."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, run_option
from longshore_cli.completing import runs_and_tasks
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "cancel",
    of_run=True,
    examples="""
    longshore cancel
    longshore cancel 'fit[year=2001]' 'fit[year=2002]'
    longshore cancel 20260314-092653
    """,
)
@click.argument("words", metavar="[RUN] [TASK]...", nargs=-1, shell_complete=runs_and_tasks)
@run_option
@folder_option
def command(invocation: Invocation, words: tuple[str, ...], run: str | None, folder: Path | None) -> int:
    """End a running run, or some of its tasks.

    The latest run is meant by default, and all members when a task as written is named. What runs gets SIGTERM, and
    SIGKILL when its grace is over. A run that has no controller is cancelled, too. Of a whole run the end is waited
    for. `longshore resume --retry` takes up again what was cancelled.
    """
    from longshore_cli.cancelling import cancel
    from longshore_cli.standing import target

    project, reader, tasks = target(folder, run, words)
    return cancel(project, reader, tasks, invocation)
