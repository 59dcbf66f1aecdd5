"""``longshore takeover``: go on with a run whose controller is gone with its machine."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "takeover",
    examples="""
    longshore takeover
    longshore takeover 20260314-092653-0042
    longshore takeover --gone station
    """,
)
@click.argument("run", required=False)
@click.option(
    "--gone", multiple=True, metavar="MACHINE", help="This host is gone for good with all it had; repeatable."
)
@folder_option
@json_option
def command(invocation: Invocation, run: str | None, gone: tuple[str, ...], folder: Path | None) -> int:
    """Go on here with a run whose controller is gone with its machine.

    It is for runs that were begun with --on. While the controller's machine answers, there is nothing to take over. One
    that was rented is ended first, with all machines that were rented for the run; of a host you say by --gone that it
    is gone: if it comes back, buckets and machines refuse it.

    Where a pool has a `store`, the last copy of the journal is there, and machines say what has happened since. Without
    one, only what machines prove is taken over; the other tasks are named, and run when you say `resume --retry`.

    Exit codes and the JSON document are those of `longshore run`.
    """
    from longshore.runtime.history import RunReader
    from longshore.runtime.run import resume
    from longshore_cli.away.taking import take
    from longshore_cli.driving import attend, conclude
    from longshore_cli.places import find_project
    from longshore_cli.telling import telling

    project = find_project(folder)
    with telling(invocation) as tell:
        taken = take(project, run, gone, tell)
    reader = RunReader(project.run_folder(taken))
    if reader.info().ended is not None:
        return conclude(reader, project.results(taken), invocation)
    return attend(lambda listen: resume(project.folder, taken, listen=listen), invocation)
