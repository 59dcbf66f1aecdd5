"""``longshore plan``: what a run would do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import json_option
from longshore_cli.completing import tasks
from longshore_cli.invocation import Invocation
from longshore_cli.workflow import only_option, param_option, set_option, trial_option

__all__ = ["command"]


def _names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = () if value is None else tuple(dict.fromkeys(name.strip() for name in value.split(",")))
    if "" in names:
        raise click.BadParameter("a name is missing; write it as in first-fit,spread")
    return names


def _size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    from longshore.model.quantity import parse_size

    try:
        size = None if value is None else parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if size == 0:
        raise click.BadParameter("nothing would ever arrive; write it as in 100 MB")
    return size


def _duration(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    from longshore.model.quantity import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@subcommand(
    "plan",
    examples="""
    longshore plan
    longshore plan -v --only report
    longshore plan --strategy critical-path,spread,random
    longshore plan --simulate --machine "cpus = 16, count = 2" --durations durations.csv
    longshore plan --json | jq -r '.tasks[] | select(.runs) | .task'
    """,
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="At most so many tasks at once.")
@set_option
@param_option
@only_option
@trial_option
@click.option(
    "--strategy",
    "strategies",
    metavar="NAME[,NAME...]",
    callback=_names,
    help="Assign tasks to machines by this strategy; several are compared by simulation.",
)
@click.option("--no-cache", is_flag=True, help="As if nothing had succeeded before.")
@click.option(
    "--rerun", multiple=True, metavar="TASK", shell_complete=tasks, help="As if this task had not succeeded before."
)
@click.option(
    "--bandwidth",
    callback=_size,
    metavar="SIZE",
    help="Simulate, and let data travel between machines at so many bytes a second, as far as it was recorded.",
)
@click.option("--simulate", is_flag=True, help="Play the run on a virtual clock: how long it takes, what it costs.")
@click.option(
    "--durations",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Simulate with tasks that take as long as this JSON or CSV file says.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, max=1e9),
    metavar="N",
    help="Simulate, and let tasks take so long of which nothing is known.",
)
@click.option(
    "--machine",
    "machines",
    metavar="TABLE",
    multiple=True,
    help="Simulate on such machines and not on those of the pool; repeatable. "
    "Keys: cpus, memory, gpus, disk, slots, count, price (of an hour), pool.",
)
@click.option(
    "--boot",
    default="1 min",
    show_default=True,
    callback=_duration,
    metavar="DURATION",
    help="How long a rented machine takes to come up, in a simulation.",
)
@json_option
def command(
    invocation: Invocation,
    file: Path | None,
    jobs: int | None,
    sets: tuple[str, ...],
    params: tuple[str, ...],
    only: tuple[str, ...],
    first: int | None,
    strategies: tuple[str, ...],
    no_cache: bool,
    rerun: tuple[str, ...],
    simulate: bool,
    **assumed: Any,
) -> int:
    """Show what a run would do, and why, without doing it.

    One line for each task as written: how many of its tasks would run, why, in which pool, and what they read; with -v
    one line for each task. A workflow that cannot run, such as one with a task that fits nowhere, is refused with exit
    code 2.

    A simulation runs and rents nothing: the scheduler's own decisions are played on the machines of the pools, or on
    others (--machine), with tasks that take as long as in earlier runs, or as is said. Equal projects give equal
    results. Where tasks of a rented pool would be refused, for want of such machines or of money, the exit code is 1.

    The JSON document is {"workflow", "total", "runs", "tasks": [{"task", "pool", "runs", "reason", "inputs"}],
    "environments": [{"name", "pools", "parts", "here"}]}; of a simulation {"workflow", "total", "up_to_date",
    "unknown", "assumed_seconds", "strategies": [{"strategy", "state", "seconds", "costs", "attempts", "utilisation",
    "moved_bytes", "refusals", "machines"}]}.
    """
    from longshore.config.bulk import bulk
    from longshore.runtime.options import RunOptions
    from longshore_cli.planning import show_plan
    from longshore_cli.workflow import load_workflow, narrowed

    # All that is made stays until it is shown.
    with bulk():
        loaded = load_workflow(file, sets, strategy=strategies[0] if len(strategies) == 1 else None, params=params)
        spec = narrowed(loaded, only=only, first=first)
        options = RunOptions(jobs=jobs, cache=not no_cache, rerun=rerun)
        told = assumed["machines"] or any(assumed[name] is not None for name in ("durations", "seconds", "bandwidth"))
        if not (simulate or told or len(strategies) > 1):
            show_plan(spec, loaded.folder, options, invocation)
            return 0
    from longshore_cli.simulating import Wishes, show_simulation

    return show_simulation(loaded, spec, Wishes(strategies=strategies, **assumed), options, invocation)
