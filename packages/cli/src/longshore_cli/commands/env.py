"""``longshore env``: the environments of this computer."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.completing import reachable
from longshore_cli.invocation import Invocation

__all__ = ["command"]


class _Environments(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "env",
    cls=_Environments,
    invoke_without_command=True,
    examples="""
    longshore env
    longshore env build
    longshore env rm sci
    """,
)
@json_option
def command(invocation: Invocation) -> int:
    """List, build and remove the environments of this computer.

    All projects share them: equal content is one environment. Other machines have their own, built when a task needs
    them. By itself it lists, as `longshore env list` does.
    """
    if click.get_current_context().invoked_subcommand is None:
        from longshore_cli.software import show

        show(invocation)
    return 0


@subcommand(
    "list",
    examples="""
    longshore env list
    longshore env list --json
    """,
)
@json_option
def _list(invocation: Invocation) -> None:
    """List the environments of this computer, the last used first.

    The JSON document is {"environments": [{"key", "name", "python", "place", "bytes", "built", "used", "in_use"}]}.
    """
    from longshore_cli.software import show

    show(invocation)


@subcommand(
    "build",
    examples="""
    longshore env build
    longshore env build sci
    longshore env build sci --on lab --on fit-1
    """,
)
@click.argument("names", nargs=-1)
@click.option(
    "--on",
    "machines",
    multiple=True,
    metavar="MACHINE",
    shell_complete=reachable,
    help="Build on this machine and not here: a host, POOL/HOST, a rented machine, or all hosts of a POOL; repeatable.",
)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The workflow file; else the nearest longshore.toml.",
)
def _build(invocation: Invocation, names: tuple[str, ...], machines: tuple[str, ...], file: Path | None) -> int:
    """Build environments of the workflow ahead of a run, on this computer or on others.

    All of them when none is named. What is there already is not built again. Exit code 1 when one cannot be built.
    """
    from longshore_cli.software import build

    return build(invocation, names, machines, file)


@subcommand(
    "rm",
    examples="""
    longshore env rm sci
    longshore env rm 3f2a91
    """,
)
@click.argument("names", nargs=-1, required=True)
def _remove(invocation: Invocation, names: tuple[str, ...]) -> int:
    """Remove environments of this computer, by name or by the beginning of the key.

    What a run uses is left, with exit code 1. The next task that needs a removed one has it built again.
    """
    from longshore_cli.software import remove

    return remove(names, quiet=invocation.quiet)


assert isinstance(command, click.Group)
for _each in (_list, _build, _remove):
    command.add_command(_each)
