"""``longshore plugins``: what is installed beside the core, whether it keeps the laws, and a beginning for another."""

from __future__ import annotations

from pathlib import Path

import click
from attrs import asdict

from longshore_cli.command import Command, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.plugins import installed
from longshore_cli.text import clean, table

__all__ = ["command"]


class _Plugins(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "plugins",
    cls=_Plugins,
    invoke_without_command=True,
    examples="""
    longshore plugins
    longshore plugins --check
    longshore plugins check strategy.spread
    longshore plugins new strategy tightest
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
    if click.get_current_context().invoked_subcommand is not None:
        return 0
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


@subcommand(
    "check",
    examples="""
    longshore plugins check spread
    longshore plugins check strategy.first-fit --without S6
    longshore plugins check executor.local --option cpus=4 --json
    longshore plugins check provider.mycloud
    """,
)
@click.argument("name")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="An option of its config; repeatable.")
@click.option("--url", default="", help="For a store: a URL below which everything may be written.")
@click.option("--without", multiple=True, metavar="LAW", help="A law that it declares not to keep; repeatable.")
@json_option
def _check(invocation: Invocation, name: str, options: tuple[str, ...], url: str, without: tuple[str, ...]) -> int:
    """Run the contract of an installed plugin, and print a score by law.

    NAME is as `longshore plugins` lists it, with its role and a point before it where that is not clear. Exit code 1
    when a law is broken. The JSON document is {"role", "name", "passed", "failed", "skipped", "laws": [{"law", "says",
    "outcome", "detail"}]}.
    """
    from longshore_cli.checking import plugin_options, role_of, run_contract, score

    role, bare = role_of(name)
    verdicts = run_contract(role, bare, plugin_options(options), url, without)
    counts = {outcome: sum(each.outcome == outcome for each in verdicts) for outcome in ("passed", "failed", "skipped")}
    if invocation.json:
        answer_json({"role": role, "name": bare, **counts, "laws": [asdict(each) for each in verdicts]})
    else:
        answer(score(verdicts))
    return 1 if counts["failed"] else 0


@subcommand(
    "new",
    examples="""
    longshore plugins new strategy tightest
    longshore plugins new executor batch --folder plugins
    longshore plugins new provider mycloud
    """,
)
@click.argument("kind", type=click.Choice(["executor", "provider", "strategy", "store"]))
@click.argument("name")
@click.option(
    "--folder", default=".", type=click.Path(file_okay=False, path_type=Path), help="Where it goes; by default here."
)
def _new(invocation: Invocation, kind: str, name: str, folder: Path) -> None:
    """Write a package with a plugin that works, and tests on its contract.

    It is a folder longshore-NAME with pyproject.toml, code and tests. An existing one is never overwritten.
    """
    from longshore_cli.scaffold import write_plugin

    package = write_plugin(kind, name, folder)
    if not invocation.quiet:
        say(f"Wrote {package}. `pip install -e '{package}[test]'` installs it, `pytest {package}` tries its laws.")


assert isinstance(command, click.Group)
command.add_command(_check)
command.add_command(_new)
