"""``longshore away``: what one Longshore asks of another, where a run's controller sits. It is for no person."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from longshore_cli.command import Command
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation

__all__ = ["command"]

_ROOT = Path("~/.longshore/away")


class _Away(Command, click.Group):
    """Does nothing without a word behind it."""


@subcommand("away", cls=_Away, hidden=True, examples="longshore away list")
def command(_: Invocation) -> None:
    """Serve other computers whose runs have their controllers here."""


@subcommand("begin", examples="longshore away begin pv-1a2b < request.json")
@click.argument("project")
def _begin(_: Invocation, project: str) -> None:
    """Take in a project, and begin its run; the request comes by standard input. Prints the project's folder."""
    from longshore_cli.away.sitting import begin
    from longshore_cli.output import answer

    if not project or project.strip(".") == "" or "/" in project:
        raise click.UsageError(f"{project!r} is no name of a folder")
    answer(begin(_ROOT.expanduser() / project, json.load(sys.stdin)))


@subcommand("list", examples="longshore away list")
def _list(_: Invocation) -> None:
    """List the runs that have their controllers here."""
    from longshore_cli.away.listing import list_runs
    from longshore_cli.away.seats import VERSION
    from longshore_cli.output import answer_json

    answer_json({"version": VERSION, "runs": list_runs(_ROOT.expanduser())})


@subcommand("wake", examples="longshore away wake")
def _wake(_: Invocation) -> None:
    """Go on with all runs that were begun here and have lost their keepers, as after a reboot."""
    from longshore_cli.away.departing import depart
    from longshore_cli.away.sitting import wake
    from longshore_cli.output import say

    for run in wake(_ROOT.expanduser()):
        say(f"run {run} goes on")
    depart(_ROOT.expanduser())


@subcommand("resume", examples="longshore away resume 20260314-092653-0042")
@click.argument("run")
@click.option("--retry", is_flag=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1))
def _resume(_: Invocation, run: str, retry: bool, jobs: int | None) -> None:
    """Go on with one run of the project in this folder, kept alive from now on."""
    from longshore.runtime.project import Project
    from longshore_cli.away.keeping import start_keeper

    words = [*(["--retry"] if retry else []), *(["--jobs", str(jobs)] if jobs else [])]
    start_keeper(Project(Path.cwd()), run, words=words)


@subcommand("keep", examples="longshore away keep 20260314-092653-0042 --tell 3")
@click.argument("run")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.option("--tell", type=int, required=True)
def _keep(_: Invocation, run: str, words: tuple[str, ...], tell: int) -> int:
    """Keep a run's controller alive until the run is over."""
    from longshore.runtime.project import Project
    from longshore_cli.away.departing import depart
    from longshore_cli.away.keeping import keep

    code = keep(Project(Path.cwd()), run, tell, words)
    depart(_ROOT.expanduser())
    return code


@subcommand("control", examples="longshore away control 20260314-092653-0042")
@click.argument("run")
@click.option("--tell", type=int, default=-1)
@click.option("--retry", is_flag=True)
@click.option("--cancel", is_flag=True)
@click.option("-j", "--jobs", type=click.IntRange(min=1))
def _control(invocation: Invocation, run: str, tell: int, retry: bool, cancel: bool, jobs: int | None) -> int:
    """Be a run's controller until it has ended."""
    from longshore.runtime.project import Project
    from longshore_cli.away.keeping import control

    return control(Project(Path.cwd()), run, invocation, tell=tell, retry=retry, cancel=cancel, jobs=jobs)


@subcommand(
    "answer",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    examples="longshore away answer status",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, required=True)
def _answer(_: Invocation, words: tuple[str, ...]) -> int:
    """Execute another command until it, or standard input, ends."""
    from longshore_cli.away.answering import answer_for

    return answer_for(words)


@subcommand("gather", examples="longshore away gather 20260314-092653-0042 --store /tmp/store")
@click.argument("run")
@click.argument("tasks", nargs=-1)
@click.option("--store", type=click.Path(path_type=Path), required=True)
@click.option("--now", is_flag=True)
def _gather(_: Invocation, run: str, tasks: tuple[str, ...], store: Path, now: bool) -> None:
    """Put what tasks have written into a store."""
    from longshore.runtime.project import Project
    from longshore_cli.away.sitting import gather
    from longshore_cli.output import answer_json

    answer_json(gather(Project(Path.cwd()), run, tasks, store, now=now))


@subcommand("record", examples="longshore away record 20260314-092653-0042 --store /tmp/store")
@click.argument("run")
@click.option("--store", type=click.Path(path_type=Path), required=True)
def _record(_: Invocation, run: str, store: Path) -> None:
    """Put the record of a run, as it stands now, into a store."""
    from longshore.runtime.project import Project
    from longshore_cli.away.sitting import record
    from longshore_cli.output import answer_json

    answer_json(record(Project(Path.cwd()), run, store))


@subcommand("join", examples="longshore away join < request.json")
def _join(_: Invocation) -> None:
    """Let more tasks join a run of the project in this folder; the request comes by standard input."""
    from longshore.runtime.project import Project
    from longshore_cli.away.sitting import join

    join(Project(Path.cwd()), json.load(sys.stdin))


assert isinstance(command, click.Group)
for _each in (_begin, _list, _wake, _resume, _keep, _control, _answer, _gather, _record, _join):
    command.add_command(_each)
