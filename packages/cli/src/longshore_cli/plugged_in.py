"""Subcommands that other distributions bring, as entry points of the group ``longshore.commands``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

__all__ = ["BROUGHT_BY", "command_of", "names"]

_GROUP = "longshore.commands"

BROUGHT_BY: Mapping[str, str] = MappingProxyType({"web": "longshore-web"})
"""Which distribution to install for a command of ours that is not part of this one."""


def names() -> list[tuple[str, str]]:
    """List the commands that are brought, each with what its distribution says of itself. None is imported."""
    from importlib.metadata import entry_points

    return sorted((each.name, _summary(each.dist)) for each in entry_points(group=_GROUP))


def _summary(distribution: object) -> str:
    return str(getattr(distribution, "metadata", {}).get("Summary", ""))


def command_of(name: str) -> click.Command | None:
    """Import a command that is brought; None when there is none of this name.

    Raises:
        PluginError: when it cannot be imported, or two distributions bring it.
    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=_GROUP, name=name))
    if not found:
        return None
    from longshore.errors import PluginError

    origins = [each.dist.name if each.dist is not None else each.value for each in found]
    if len(found) > 1:
        raise PluginError(f"{' and '.join(origins)} both bring the command {name}; uninstall one of them")
    try:
        command = found[0].load()
    except Exception as error:
        raise PluginError(f"{origins[0]} cannot be used: {type(error).__name__}: {error}") from error
    if not isinstance(command, click.Command):
        raise PluginError(f"{origins[0]} brings something else than a command by {name}")
    return command
