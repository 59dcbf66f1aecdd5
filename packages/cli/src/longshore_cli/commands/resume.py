"""``longshore resume``: go on with a run, whatever stopped it."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "resume",
    of_run=True,
    examples="""
    longshore resume
    longshore resume --retry
    longshore resume 20260314-092653 -j 4
    """,
)
@click.argument("run", required=False, shell_complete=runs)
@click.option("--retry", is_flag=True, help="Give failed, lost and cancelled tasks another chance.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Now at most so many tasks at once.")
@folder_option
@json_option
def command(invocation: Invocation, run: str | None, retry: bool, jobs: int | None, folder: Path | None) -> int:
    """Continue a run that was interrupted or lost its controller.

    The latest is meant by default. What has ended is not run again, and what still runs is watched on. With --retry a
    run that has ended can be continued too. Exit codes and the JSON document are those of `longshore run`.
    """
    from longshore.runtime.history import RunReader
    from longshore.runtime.run import resume
    from longshore_cli.driving import attend, conclude
    from longshore_cli.places import find_project

    project = find_project(folder)
    wanted = project.find_run(run)
    reader = RunReader(project.run_folder(wanted))
    if not retry and reader.info().ended is not None and not reader.info().resumable:
        # It has ended for good: told as it stands, and its record is left alone.
        if wanted in project.unclosed():
            from longshore_cli.tidying import tidy_up

            tidy_up(project, [wanted])
        return conclude(reader, project.results(wanted), invocation)
    return attend(lambda listen: resume(project.folder, wanted, retry=retry, jobs=jobs, listen=listen), invocation)
