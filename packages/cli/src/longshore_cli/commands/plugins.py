"""``longshore plugins``: what is installed beside the core."""

from __future__ import annotations

import click
from attrs import asdict

from longshore_cli.command import command as subcommand
from longshore_cli.command import json_option
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint
from longshore_cli.plugins import installed
from longshore_cli.text import clean, table

__all__ = ["command"]


@subcommand(
    "plugins",
    examples="""
    longshore plugins
    longshore plugins --check
    """,
)
@click.option("--check", is_flag=True, help="Import each one, and say what is wrong with those that do not work.")
@json_option
def command(invocation: Invocation, check: bool) -> int:
    """List the installed plugins.

    Each with what it is and the name that a workflow file gives it. Without --check nothing of theirs is imported. Exit
    code 1 when one cannot be used. The JSON document is {"plugins": [{"role", "name", "distribution", "version",
    "problem"}]}.
    """
    plugins = installed(check=check)
    if invocation.json:
        answer_json({"plugins": [asdict(plugin) for plugin in plugins]})
    else:
        rows = [[each.role, each.name, f"{each.distribution} {each.version}".strip()] for each in plugins]
        answer(table(rows, ["ROLE", "NAME", "FROM"]))
        for plugin in plugins:
            if plugin.problem:
                answer(paint(clean(plugin.problem), "bad"))
    return 1 if any(plugin.problem for plugin in plugins) else 0
