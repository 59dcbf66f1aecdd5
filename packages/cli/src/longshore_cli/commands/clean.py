"""``longshore clean``: make room."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


def _read_age(_ctx: click.Context, _parameter: click.Parameter, value: str) -> timedelta:
    from longshore.model.quantity import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@subcommand(
    "clean",
    examples="""
    longshore clean --dry-run
    longshore clean --older-than '7 d'
    longshore clean --environments
    longshore clean --workdirs --older-than '0 s'
    """,
)
@click.option("--cache", is_flag=True, help="Only cached outputs that no run needs any more.")
@click.option("--workdirs", is_flag=True, help="Only workdirs that were kept, such as those of failed attempts.")
@click.option("--runs", is_flag=True, help="Only the records and logs of runs. Results are never touched.")
@click.option("--environments", is_flag=True, help="Only environments of this computer that no run uses.")
@click.option(
    "--older-than",
    metavar="AGE",
    callback=_read_age,
    default="30 d",
    show_default=True,
    help="What was not used, or ended, for so long.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@folder_option
@json_option
def command(
    invocation: Invocation,
    cache: bool,
    workdirs: bool,
    runs: bool,
    environments: bool,
    older_than: timedelta,
    dry_run: bool,
    folder: Path | None,
) -> None:
    """Remove cached outputs, kept workdirs and old runs; environments when they are asked for.

    The first three by default. Runs that are running or can be continued, and results, stay. What was removed from the
    cache is made again when it is needed, and so are environments, which all projects of this computer share.

    The JSON document is {"dry_run", "runs": [id], "workdirs": [path], "cache": {"tasks", "objects", "bytes"},
    "environments": [key], "bytes"}.
    """
    from longshore_cli.cleaning import clean

    everything = not (cache or workdirs or runs or environments)
    clean(
        folder,
        cache=cache or everything,
        workdirs=workdirs or everything,
        runs=runs or everything,
        environments=environments,
        older_than=older_than,
        dry_run=dry_run,
        invocation=invocation,
    )
