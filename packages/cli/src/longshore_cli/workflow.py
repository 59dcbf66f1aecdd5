"""Reading the workflow that a command is about, with what the command line says beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from longshore_cli.output import warn
from longshore_cli.places import workflow_file

if TYPE_CHECKING:
    from longshore.config import Loaded

__all__ = ["load_workflow", "set_option"]

set_option = click.option(
    "--set",
    "sets",
    metavar="KEY.PATH=VALUE",
    multiple=True,
    help="Put this value, written as in the file, in the place of the file's; repeatable.",
)


def load_workflow(file: Path | None, sets: tuple[str, ...]) -> Loaded:
    """Read the workflow that was named, or the project's; its warnings are told.

    Raises:
        ConfigError: with every mistake in the file and in ``sets``.
        click.UsageError: when there is no file.
    """
    # Imported here, since help and views of runs need no parser.
    from longshore.config import load

    loaded = load(workflow_file(file), overrides=sets)
    for warning in loaded.warnings:
        warn(warning)
    return loaded
