"""``longshore aws`` and its like: what is said about one provider, by its name."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation

__all__ = ["command_of"]


class _Provider(Command, click.Group):
    """Does nothing without a word behind it."""


def command_of(name: str) -> Command | None:
    """Make the command of an installed provider; None when there is none of this name. Nothing is imported for it."""
    from longshore.runtime.registry import Registry

    entries = [entry for entry in Registry().entries() if (entry.role, entry.name) == ("provider", name)]
    if not entries:
        return None

    @subcommand(
        name, cls=_Provider, help=f"Say what concerns the provider {name}.", examples=f"longshore {name} policy"
    )
    def group(_: Invocation) -> None:
        return

    assert isinstance(group, _Provider)
    group.add_command(_policy(name))
    return group


def _policy(provider: str) -> click.Command:
    @subcommand(
        "policy",
        examples=f"""
        longshore {provider} policy > policy.json
        longshore {provider} policy --table work
        """,
    )
    @click.option(
        "--table",
        default=provider,
        metavar="NAME",
        help=f"With the options of [providers.NAME]; else of the table for {provider}.",
    )
    @folder_option
    @json_option
    def policy(_: Invocation, table: str, folder: Path | None) -> None:
        """Print the least rights that a login needs, with the options of this folder and your own.

        In the form that the cloud itself takes, as one JSON document. The cloud is not asked.
        """
        from longshore.machines.policies import least_policy
        from longshore_cli.output import answer_json
        from longshore_cli.places import folder_of

        answer_json(least_policy(table, folder_of(folder)))

    return policy
