"""Reading the workflow that a command is about, with what the command line says beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from longshore_cli.completing import parameters, tasks
from longshore_cli.output import warn
from longshore_cli.places import workflow_file

if TYPE_CHECKING:
    from longshore.config.load import Loaded
    from longshore.model.workflow import WorkflowSpec

__all__ = ["load_workflow", "narrowed", "only_option", "param_option", "set_option", "strategy_option", "trial_option"]


set_option = click.option(
    "--set",
    "sets",
    metavar="KEY.PATH=VALUE",
    multiple=True,
    help="Put this value, written as in the file, in the place of the file's; repeatable.",
)
param_option = click.option(
    "-P",
    "--param",
    "params",
    metavar="NAME=VALUE",
    multiple=True,
    shell_complete=parameters,
    help="Run with this value of a parameter: of the file's [params], or the only one of a for_each; repeatable.",
)
only_option = click.option(
    "--only",
    metavar="TASK",
    multiple=True,
    shell_complete=tasks,
    help="Only this task and what it waits for; repeatable.",
)
trial_option = click.option(
    "--first", type=click.IntRange(min=1), metavar="N", help="Only the first N values of each for_each."
)
strategy_option = click.option(
    "--strategy",
    metavar="NAME",
    help="Assign tasks to machines by this strategy; --set strategy.KEY=VALUE gives it options.",
)


def load_workflow(
    file: Path | None,
    sets: tuple[str, ...],
    *,
    strategy: str | None = None,
    params: tuple[str, ...] = (),
    adding_to: WorkflowSpec | None = None,
) -> Loaded:
    """Read the workflow that was named, or the project's; its warnings are told.

    Raises:
        ConfigError: with every mistake in the file, in ``sets`` and in ``params``.
        click.UsageError: when there is no file.
    """
    # Imported here, since help and views of runs need no parser.
    from longshore.config.load import load

    loaded = load(workflow_file(file), sets, strategy=strategy, params=params, adding_to=adding_to)
    for warning in loaded.warnings:
        warn(warning)
    return loaded


def narrowed(loaded: Loaded, *, only: tuple[str, ...] = (), first: int | None = None) -> WorkflowSpec:
    """Give the part of a workflow that is meant, with the values of its for_each read from the project's files.

    Raises:
        ConfigError: when values cannot be read; with the places where they are asked for.
        UsageError: when ``only`` names no task, or a value of a parameter was chosen that there is not.
    """
    from longshore.runtime.objects import resolve_all

    spec = loaded.spec
    if only:
        from longshore.scheduler.narrow import only_tasks

        spec = only_tasks(spec, only)
    spec = resolve_all(spec, loaded.folder, loaded.place)
    if loaded.chosen:
        from longshore.scheduler.narrow import only_values

        spec = only_values(spec, loaded.chosen)
    if first is not None:
        from longshore.scheduler.narrow import first_members

        spec = first_members(spec, first)
    return spec
