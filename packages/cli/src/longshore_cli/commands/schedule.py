"""``longshore schedule``: do things at given times."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation

__all__ = ["command"]


class _Schedule(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "schedule",
    cls=_Schedule,
    invoke_without_command=True,
    examples="""
    longshore schedule
    longshore schedule add nightly 'Mon-Fri 02:00' run --yes
    longshore schedule rm nightly
    """,
)
@json_option
def command(invocation: Invocation) -> None:
    """Run workflows, start and stop machines, and clean up at given times.

    By timers of the user's systemd, or else by cron; where there is neither, as in a container, by `longshore schedule
    keep`. Without a word behind it, it lists what is scheduled.
    """
    if click.get_current_context().invoked_subcommand is None:
        from longshore_cli.scheduling.verbs import list_all

        list_all(invocation)


@subcommand(
    "add",
    context_settings={"allow_interspersed_args": False},
    examples="""
    longshore schedule add nightly 02:00 run --yes
    longshore schedule add evening 'Mon-Fri 18:30' machines stop --pool cloud
    longshore schedule add cleaning 'every 1 h' gc --wait
    """,
)
@folder_option
@json_option
@click.argument("name")
@click.argument("when")
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def _add(invocation: Invocation, name: str, when: str, words: tuple[str, ...], folder: Path | None) -> int:
    """Do a COMMAND of longshore (run, gc, machines start, stop or down) at given times, in the project's folder.

    WHEN is a time of day with or without days before it ('02:30', 'Mon-Fri 18:00', 'Sat,Sun 09:15'), or 'every 15 min',
    'every 2 h', in this computer's time zone; or 'at boot'. One of the same name is replaced. What stands behind WHEN
    is the command: options of `schedule add` itself go before NAME.

    A timer knows your PATH and where your settings are, and no other variables of your shell: logins to clouds must
    stand in files. The JSON document is {"schedule": {"name", "when", "next", "by", "folder", "command"}}.
    """
    from longshore_cli.scheduling.verbs import add

    return add(invocation, folder, name, when, words)


@subcommand(
    "list",
    examples="""
    longshore schedule list
    longshore schedule list --json | jq -r '.schedules[].next'
    """,
)
@json_option
def _list(invocation: Invocation) -> None:
    """List what is scheduled, with the next time of each.

    The JSON document is {"schedules": [{"name", "when", "next", "by", "folder", "command"}]}.
    """
    from longshore_cli.scheduling.verbs import list_all

    list_all(invocation)


@subcommand(
    "rm",
    examples="""
    longshore schedule rm nightly
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
def _rm(invocation: Invocation, names: tuple[str, ...]) -> None:
    """Remove schedules, and nothing else of your timers.

    The JSON document is {"removed": [name]}.
    """
    from longshore_cli.scheduling.verbs import remove

    remove(invocation, names)


@subcommand(
    "keep",
    examples="""
    longshore schedule keep
    """,
)
def _keep(invocation: Invocation) -> None:
    """Start what is scheduled when its time comes, until Ctrl-C.

    For where there is neither systemd nor cron, as in a container. While this runs, `schedule add` leaves schedules to
    it. What ran at a time when nobody kept them is not made up for; what still runs from the last time is not started
    a second time. On SIGTERM what it has started gets that signal, too, and is waited for.
    """
    from longshore_cli.scheduling.verbs import keep

    keep(invocation)


assert isinstance(command, click.Group)
for _each in (_add, _list, _rm, _keep):
    command.add_command(_each)
