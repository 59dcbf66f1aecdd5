"""``longshore logs``: what tasks wrote to stdout and stderr."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, run_option
from longshore_cli.completing import tasks
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "logs",
    of_run=True,
    examples="""
    longshore logs report
    longshore logs -f 'fit[year=2001]'
    longshore logs --failed
    longshore logs --env sci -f
    longshore logs report --attempt 1 --err > report.err
    """,
)
@click.argument("task", required=False, shell_complete=tasks)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written until the task has ended.")
@click.option("--failed", is_flag=True, help="Of all tasks that failed (or of the members of TASK that did).")
@click.option("--env", "environment", metavar="NAME", help="Of the builds of this environment, on all machines.")
@click.option("--out", "streams", flag_value="out", help="Only stdout, byte by byte.")
@click.option("--err", "streams", flag_value="err", help="Only stderr, byte by byte.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Which attempt; else the last.")
@click.option("--raw", is_flag=True, help="Leave control sequences in what goes to a terminal.")
@run_option
@folder_option
def command(
    invocation: Invocation,
    task: str | None,
    follow: bool,
    failed: bool,
    environment: str | None,
    streams: str | None,
    attempt: int | None,
    raw: bool,
    run: str | None,
    folder: Path | None,
) -> int:
    """Show what a task wrote to stdout and stderr.

    Control sequences are taken out of what goes to a terminal. -f waits for a task that has not started yet, and goes
    on with its next attempt when one is tried again.
    """
    from longshore.runtime.history import RunReader
    from longshore_cli.build_logs import show_builds
    from longshore_cli.places import find_project
    from longshore_cli.reading import Logs, follow_task, show

    if task is None and not failed and environment is None:
        raise click.UsageError("name a TASK, or say --failed or --env NAME")
    if environment is not None and (task is not None or failed):
        raise click.UsageError("--env shows the builds of an environment, and no task")
    if follow and failed:
        raise click.UsageError("-f follows one task; --failed is about tasks that have ended")
    project = find_project(folder)
    reader = RunReader(project.run_folder(project.find_run(run)))
    wanted = (streams,) if streams else ("out", "err")
    with Logs(reader, wanted, raw=raw) as logs:
        if environment is not None:
            return show_builds(logs, environment, attempt, follow=follow)
        if follow and task is not None:
            return follow_task(logs, task, attempt)
        return show(logs, task, attempt, failed=failed, quiet=invocation.quiet)
