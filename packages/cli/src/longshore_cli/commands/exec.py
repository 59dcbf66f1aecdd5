"""``longshore exec``: one command on a machine of a pool, on all of them, or beside a task."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option
from longshore_cli.completing import pools
from longshore_cli.invocation import Invocation
from longshore_cli.parameters import SIZE

__all__ = ["command"]


@subcommand(
    "exec",
    context_settings={"allow_interspersed_args": False},
    examples="""
    longshore exec cloud -- nvidia-smi
    longshore exec --cpus 4 lab -- sh -c 'uptime; df -h'
    longshore exec local -- hostname > where.txt
    longshore exec --all lab -- df -h /scratch
    longshore exec fit[year=2001] -- tail -n 3 progress.txt
    longshore exec fit -- tee settings.json < settings.json
    """,
)
@click.option("-a", "--all", "everywhere", is_flag=True, help="On all machines of the pool, now and beside all runs.")
@click.option("--cpus", type=click.FloatRange(min=0), default=1, show_default=True, help="It takes so many cores.")
@click.option("--memory", type=SIZE, default=0, metavar="SIZE", help="It takes so much memory, as in 4GiB.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, help="It takes so many GPUs.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before machines are rented.")
@folder_option
@click.argument("pool", metavar="POOL|TASK", shell_complete=pools)
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    invocation: Invocation,
    everywhere: bool,
    cpus: float,
    memory: int,
    gpus: int,
    yes: bool,
    folder: Path | None,
    pool: str,
    words: tuple[str, ...],
) -> int:
    """Run one command on a machine of a pool, or beside a task that runs, and show what it writes.

    As a task of the pool it takes its part of a machine, a warm one if there is one, else one is rented for it and
    ended afterwards. It begins in an empty folder, without a shell (`sh -c '...'` is one), and nothing of it is kept.
    Options go before POOL. The exit code is the command's own.

    With `--all` it is executed in the home of each host of the pool, or of each machine that is rented for it and runs,
    at the same time. Each line of what they write comes after the name of its machine, without what would steer a
    terminal. A machine that does not answer keeps no other from its work. The exit code is the highest of all, and 1 at
    least when a machine has none to give.

    Where there is no such pool, a TASK of the latest run is meant that runs now: the command is executed in its
    workdir, in the pod that it is in, and reads what this one is given on standard input.
    """
    if words[0] == "--":
        words = words[1:]
    if not words:
        raise click.UsageError("say which command, behind --", click.get_current_context())
    if everywhere:
        from longshore_cli.everywhere import execute_on_all

        return execute_on_all(invocation, folder, pool, words)
    from longshore.model.resources import Resources
    from longshore_cli.executing import execute

    needs = Resources(cpus=cpus, memory_bytes=memory, gpus=gpus)
    return execute(invocation, folder, pool, words, needs=needs, yes=yes)
