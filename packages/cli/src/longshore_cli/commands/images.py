"""``longshore images``: disk images of rented machines."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.commands.machines import provider_option
from longshore_cli.completing import machines as machine_names
from longshore_cli.invocation import Invocation

__all__ = ["command"]


class _Images(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "images",
    cls=_Images,
    invoke_without_command=True,
    examples="""
    longshore images
    longshore images make fit-1 with-gdal
    longshore images rm with-gdal
    """,
)
@json_option
def command(invocation: Invocation) -> int:
    """List, make and delete disk images of machines.

    Without a word behind it, it lists them.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    from longshore_cli.fleet import list_images

    return list_images(invocation, None, ())


@subcommand(
    "list",
    examples="""
    longshore images list
    longshore images list --provider aws --json
    """,
)
@provider_option
@folder_option
@json_option
def _list(invocation: Invocation, providers: tuple[str, ...], folder: Path | None) -> int:
    """List your disk images.

    The JSON document is {"images": [{"id", "kind", "provider", "region", "project", "whose"}], "unasked": [...]}.
    """
    from longshore_cli.fleet import list_images

    return list_images(invocation, folder, providers)


@subcommand(
    "make",
    examples="""
    longshore images make fit-1 with-gdal
    """,
)
@click.argument("machine", shell_complete=machine_names)
@click.argument("name")
@folder_option
@json_option
def _make(invocation: Invocation, machine: str, name: str, folder: Path | None) -> None:
    """Make a disk image NAME of a machine.

    A pool uses it by `image = "..."`, with the id that is printed. The same name gives the same image again. The JSON
    document is {"image": {...}}.
    """
    from longshore_cli.fleet import make_image

    make_image(invocation, folder, machine, name)


@subcommand(
    "rm",
    examples="""
    longshore images rm with-gdal
    """,
)
@click.argument("ids", metavar="IMAGE...", nargs=-1, required=True)
@provider_option
@click.option("--foreign", is_flag=True, help="Also those that were made from another computer.")
@folder_option
@json_option
def _rm(
    invocation: Invocation, ids: tuple[str, ...], providers: tuple[str, ...], foreign: bool, folder: Path | None
) -> int:
    """Delete exactly these disk images.

    The JSON document is {"done": [{"provider", "what", "error"}]}.
    """
    from longshore_cli.fleet import delete_images

    return delete_images(invocation, folder, ids, providers=providers, foreign=foreign)


assert isinstance(command, click.Group)
for _each in (_list, _make, _rm):
    command.add_command(_each)
