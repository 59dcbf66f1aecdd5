"""``longshore report``: what a run came to."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "report",
    of_run=True,
    examples="""
    longshore report
    longshore report 20260314 --to /tmp/report
    longshore report --text
    longshore report --text --json | jq '.runs[0].efficiency'
    """,
)
@click.argument("run", required=False, shell_complete=runs)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the files here; else in results/report-RUN of the project.",
)
@click.option("--text", is_flag=True, help="Print the table of figures, and write nothing.")
@folder_option
@json_option
def command(invocation: Invocation, run: str | None, to: Path | None, text: bool, folder: Path | None) -> None:
    """Tell what a run came to: figures, tables, pictures and a page.

    The latest is meant by default; it may still be running. Of a run that was made by `longshore run --repeat`, the
    repetitions are told beside it, with mean and deviation.

    The page report.html is one file that needs no network. Beside it are results.csv, logs.csv (all attempts),
    errors.csv, tasks.csv, performance.txt (the figures), gantt.svg and gantt.png.

    The JSON document is {"runs": [{"run", "state", "tasks", "succeeded", "up_to_date", "errors", "unfinished",
    "attempts", "mean", "shortest", "longest", "parallel", "series", "efficiency", "setup", "total", "nodes", "workers",
    "shortest_task", "longest_task", "costs"}], "files"}, times in seconds; of repetitions also "mean" and "deviation"
    with the numbers of a run.
    """
    # Imported here, so that the help of this command needs nothing of the core.
    from longshore_cli.reporting import tell

    if text and to is not None:
        raise click.UsageError("--text writes nothing, and --to says where to write; give one of them")
    tell(run, folder, to, invocation, text=text)
