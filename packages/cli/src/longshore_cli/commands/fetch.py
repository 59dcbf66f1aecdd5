"""``longshore fetch``: copy what tasks have written to a folder."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option, run_option
from longshore_cli.completing import runs_and_tasks
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "fetch",
    of_run=True,
    examples="""
    longshore fetch --to results-of-may
    longshore fetch 20260314-092653 report --to /tmp/report
    longshore fetch fit --now --to so-far
    """,
)
@click.argument("words", metavar="[RUN] [TASK]...", nargs=-1, shell_complete=runs_and_tasks)
@click.option(
    "--to",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where to; each task has a folder there.",
)
@click.option("--now", is_flag=True, help="Fetch what there is, though some tasks have not ended.")
@run_option
@folder_option
@json_option
def command(
    invocation: Invocation, words: tuple[str, ...], to: Path, now: bool, run: str | None, folder: Path | None
) -> int:
    r"""Copy what tasks have written to a folder, also while the run goes on.

    Without names it is what all tasks that have succeeded wrote, and their tables. The latest run is meant by default,
    and all members when a task as written is named. Outputs that are still on other machines are brought home first.
    Files of the same names are replaced, and nothing else in the folder changes.

    \b
    Exit codes: 0 all is there, 1 some outputs cannot be had any more or their
    tasks failed, 2 a task has not ended and --now was not given.

    The JSON document is {"run", "to", "written", "missing", "unready"}: paths, why by task, and tasks that have not
    succeeded.
    """
    from longshore_cli.fetching import fetch_results
    from longshore_cli.standing import target

    project, reader, tasks = target(folder, run, words)
    return fetch_results(project, reader, tasks, to, invocation, now=now)
