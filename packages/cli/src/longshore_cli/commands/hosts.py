"""``longshore hosts``: the hosts that pools name."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation

__all__ = ["command"]


class _Hosts(Command, click.Group):
    """Has words behind it that do something."""


@subcommand(
    "hosts",
    cls=_Hosts,
    examples="""
    longshore hosts check
    """,
)
def command(_: Invocation) -> int:
    """Say whether the hosts that pools name can be used."""
    return 0


@subcommand(
    "check",
    examples="""
    longshore hosts check
    longshore hosts check lab
    longshore hosts check h1 lab/h2 --json | jq '.hosts[] | select(.state == "bad") | .host'
    """,
)
@click.argument("words", metavar="[POOL|HOST]...", nargs=-1)
@folder_option
@json_option
def _check(invocation: Invocation, words: tuple[str, ...], folder: Path | None) -> int:
    """Check hosts, and say how to mend what is wrong.

    All hosts of all pools, or those that are named. From the address to the supervisor, each is logged in to as a run
    would. Of several only what is wrong is shown; -v shows everything. Exit code 1 when a host cannot be used.

    The JSON document is {"ok": bool, "hosts": [{"pool", "host", "state", "checks": [{"name", "state", "says",
    "remedy"}]}]} with the states ok, warning and bad.
    """
    from longshore_cli.host_view import check

    return check(invocation, folder, words)


assert isinstance(command, click.Group)
command.add_command(_check)
