"""``longshore explain``: why a task ran or did not, and what became of it."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option, run_option
from longshore_cli.completing import tasks
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "explain",
    of_run=True,
    examples="""
    longshore explain report
    longshore explain 'fit[year=2001]' --run 20260314
    """,
)
@click.argument("task", shell_complete=tasks)
@run_option
@folder_option
@json_option
def command(invocation: Invocation, task: str, run: str | None, folder: Path | None) -> None:
    """Say why a task ran or did not, and why it failed.

    It names what has changed since the task last succeeded, and of a failure the class, the proof, and what was done.
    What a next run would do, and why, says `longshore plan`.

    The JSON document is {"run", "tasks": [{"task", "phase", "why", "attempts": [{"attempt", "outcome", "class",
    "started", "ended", "cpu_seconds", "peak_memory_bytes", "workdir", "evidence", "done"}]}]}.
    """
    from longshore.runtime.history import RunReader
    from longshore_cli.explaining import explain
    from longshore_cli.places import find_project

    project = find_project(folder)
    explain(RunReader(project.run_folder(project.find_run(run))), task, invocation)
