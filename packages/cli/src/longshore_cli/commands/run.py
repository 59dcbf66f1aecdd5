"""``longshore run``: run a workflow, or go on with its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import json_option, run_option
from longshore_cli.completing import runs, tasks
from longshore_cli.invocation import Invocation
from longshore_cli.workflow import only_option, param_option, set_option, strategy_option, trial_option

__all__ = ["command"]


@subcommand(
    "run",
    examples="""
    longshore run
    longshore run other.toml -j 4 --set tasks.fit.timeout='"2 h"'
    longshore run -P year=2001
    longshore run --first 2 --only report
    longshore run --new --rerun 'fit[year=2001]'
    longshore run --add more.toml
    longshore run --repeat 5
    longshore run --locked 20260102-030405-ab12
    longshore run --on alice@h1
    longshore run --detach
    longshore run --json > run.json
    """,
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="At most so many tasks at once.")
@set_option
@param_option
@only_option
@trial_option
@strategy_option
@click.option("--new", is_flag=True, help="Begin another run, though one is unfinished.")
@click.option(
    "--continue",
    "go_on",
    is_flag=True,
    help="Continue the unfinished run as it began, if the workflow has changed.",
)
@click.option("--no-cache", is_flag=True, help="Run every task, also those that succeeded before.")
@click.option(
    "--rerun",
    multiple=True,
    metavar="TASK",
    shell_complete=tasks,
    help="Run this task whatever succeeded before; repeatable.",
)
@click.option("--keep-workdirs", is_flag=True, help="Keep the workdirs of tasks that succeed, too.")
@click.option("--fresh", is_flag=True, help="End machines that earlier runs have kept, and rent new ones.")
@click.option(
    "--keep-going/--fail-fast",
    default=None,
    help="After a failure go on with what does not depend on it (as the file says, else yes), or stop.",
)
@click.option(
    "--add", type=click.Path(path_type=Path), metavar="FILE", help="Let the tasks of this file join a run (see --run)."
)
@run_option
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Run it N times, one after another, whatever succeeded before, and give mean and deviation.",
)
@click.option(
    "--locked",
    metavar="RUN",
    shell_complete=runs,
    help="Build environments in the exact versions that they had in this run.",
)
@click.option(
    "--on",
    metavar="MACHINE",
    help="Put the run's controller on this machine, and leave it there: a host, a rented machine, or a pool.",
)
@click.option(
    "--hand-over",
    multiple=True,
    metavar="VARIABLE",
    help="With --on: give the controller this environment variable, such as a token for a cloud; repeatable.",
)
@click.option("--detach", is_flag=True, help="Leave the run to a keeper on this computer; return when it has begun.")
@click.option("--yes", is_flag=True, help="Rent what costs money without asking.")
@json_option
def command(invocation: Invocation, **flags: Any) -> int:
    r"""Run a workflow, or continue its unfinished run.

    FILE is a TOML, JSON or Python file, by default longshore.toml. If the latest run of this workflow is unfinished, it
    is continued; if the workflow has changed since then, you are asked, or answer by --new or --continue.

    With --on this computer is not needed any more when the command has ended: `longshore status`, `logs`, `explain`,
    `cancel`, `resume`, `top` and `fetch` ask that machine about the run, and `longshore attach` finds it from another.
    A cloud is asked by the machine's own role there, never by your login. Of a pool that machines are rented for, one
    is rented for the controller, which ends when the run is over and all has been fetched, at the latest at its end
    time.

    The first Ctrl-C starts nothing more and waits for what runs, the second cancels that. After SIGTERM what runs lives
    on. `longshore resume` continues in every case, and finds the machines that were rented: without a controller they
    end themselves after the pool's unattended time.

    \b
    Exit codes: 0 all succeeded, 1 tasks failed, 2 nothing ran because something
    was wrong, 130 interrupted.

    The JSON document is {"run", "workflow", "state", "started", "ended", "seconds", "tasks", "phases", "failed":
    [{"task", "phase", "class", "outcome", "attempts", "evidence", "workdir"}], "undelivered", "results", "resumable"}.
    With --on it is {"run", "workflow", "machine", "tasks"}, with --detach the same without the machine.
    With --repeat it is {"group", "runs": [such documents], "figures"}, the last as in `longshore report --json`.
    """
    # Imported here, so that the help of this command needs nothing of the core.
    from longshore_cli.running import Wishes, join, run

    wishes = Wishes(**flags)
    return join(wishes, invocation) if wishes.add is not None else run(wishes, invocation)
