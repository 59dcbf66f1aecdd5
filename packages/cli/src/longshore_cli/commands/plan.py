"""``longshore plan``: what a run would do."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import json_option
from longshore_cli.completing import tasks
from longshore_cli.invocation import Invocation
from longshore_cli.workflow import only_option, set_option, strategy_option, trial_option

__all__ = ["command"]


@subcommand(
    "plan",
    examples="""
    longshore plan
    longshore plan -v --only report
    longshore plan --json | jq -r '.tasks[] | select(.runs) | .task'
    """,
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="At most so many tasks at once.")
@set_option
@only_option
@trial_option
@strategy_option
@click.option("--no-cache", is_flag=True, help="As if nothing had succeeded before.")
@click.option(
    "--rerun", multiple=True, metavar="TASK", shell_complete=tasks, help="As if this task had not succeeded before."
)
@json_option
def command(
    invocation: Invocation,
    file: Path | None,
    jobs: int | None,
    sets: tuple[str, ...],
    only: tuple[str, ...],
    first: int | None,
    strategy: str | None,
    no_cache: bool,
    rerun: tuple[str, ...],
) -> None:
    """Show what a run would do, and why, without doing it.

    One line for each task as written: how many of its tasks would run, why, in which pool, and what they read; with -v
    one line for each task. A workflow that cannot run, such as one with a task that fits nowhere, is refused with exit
    code 2.

    The JSON document is {"workflow", "total", "runs", "tasks": [{"task", "pool", "runs", "reason", "inputs"}]}.
    """
    from longshore.config.bulk import bulk
    from longshore.runtime.options import RunOptions
    from longshore_cli.planning import show_plan
    from longshore_cli.workflow import load_workflow, narrowed

    # All that is made stays until it is shown.
    with bulk():
        loaded = load_workflow(file, sets, strategy=strategy)
        spec = narrowed(loaded, only=only, first=first)
        show_plan(spec, loaded.folder, RunOptions(jobs=jobs, cache=not no_cache, rerun=rerun), invocation)
