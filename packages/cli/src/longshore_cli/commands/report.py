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
    examples="""
    longshore report
    longshore report 20260314 --json | jq '.runs[0].efficiency'
    """,
)
@click.argument("run", required=False, shell_complete=runs)
@folder_option
@json_option
def command(invocation: Invocation, run: str | None, folder: Path | None) -> None:
    """Tell what a run came to: figures, tables, pictures and a page.

    The latest is meant by default. Of a run that was made by `longshore run --repeat`, its repetitions are told beside
    it, with mean and deviation.

    The JSON document is {"runs": [{"run", "state", "tasks", "succeeded", "up_to_date", "errors", "unfinished",
    "attempts", "mean", "shortest", "longest", "parallel", "series", "efficiency", "setup", "total", "nodes", "workers",
    "shortest_task", "longest_task", "costs"}]}, times in seconds; of repetitions also "mean" and "deviation" with the
    numbers of a run.
    """
    from longshore_cli.output import answer, answer_json
    from longshore_cli.places import find_project
    from longshore_cli.repeating import repetitions
    from longshore_cli.report.figures import read_figures
    from longshore_cli.report.summary_table import figures_document, summary_table

    project = find_project(folder)
    figures = [read_figures(reader) for reader in repetitions(project, project.find_run(run))]
    if invocation.json:
        answer_json(figures_document(figures))
    else:
        answer("\n".join(summary_table(figures).lines()))
