"""``longshore status``: how a run stands, or one of its tasks."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option, run_option
from longshore_cli.completing import runs_and_tasks
from longshore_cli.invocation import Invocation

__all__ = ["STATES", "command"]

# The phases of docs/reference/states.md; a test compares them with the core's.
STATES = (
    "waiting",
    "staging",
    "building",
    "queued",
    "running",
    "succeeded",
    "up to date",
    "failed",
    "lost",
    "cancelled",
    "skipped",
)


@subcommand(
    "status",
    of_run=True,
    examples="""
    longshore status
    longshore status 'fit[year=2001]'
    longshore status --state failed
    longshore status 20260314-092653 fit --json
    """,
)
@click.argument("words", metavar="[RUN] [TASK]", nargs=-1, shell_complete=runs_and_tasks)
@click.option("--state", type=click.Choice(STATES), help="List the tasks in this state.")
@click.option("--machine", metavar="M", help="List the tasks whose last attempt was on this machine.")
@run_option
@folder_option
@json_option
def command(
    invocation: Invocation,
    words: tuple[str, ...],
    state: str | None,
    machine: str | None,
    run: str | None,
    folder: Path | None,
) -> None:
    """Show how a run, or one of its tasks, stands.

    The latest run is meant by default. A TASK is an id such as fit[year=2001], or the name of a task as written: then
    all of its members are listed. One word is taken for a task if the latest run has one of that name, else for the
    beginning of a run's id.

    The JSON document of a run is that of `longshore run` and "leases": [{"lease", "phase", "machine"}], the machines of
    the run that may cost money as far as this computer knows, and "out_of_reach": [{"machine", "until", "reason"}],
    those that may go on with what they have, and "schedules", those of this folder and those that clean up, as
    `longshore schedule --json` has them. With --state or --machine it has "listed": [{"task", "phase", "attempts",
    "machine", "class"}]. That of a task is {"run", "tasks": [{"task", "phase", "machine", "pool", "class", "workdir",
    "waits_for", "up_to_date_since", "started", "parted_until", "attempts": [{"attempt", "outcome", "class", "started",
    "ended", "cpu_seconds", "peak_memory_bytes", "workdir", "evidence"}]}]}.
    """
    from longshore_cli.standing import show_listed, show_run, target

    project, reader, names = target(folder, run, words)
    if len(names) > 1:
        raise click.UsageError(f"one run and one task at most, not also {names[1]!r}")
    if names:
        from longshore_cli.closely import show_tasks

        show_tasks(reader, names[0], invocation)
    elif state is not None or machine is not None:
        show_listed(project, reader, state, machine, invocation)
    else:
        show_run(project, reader, invocation)
