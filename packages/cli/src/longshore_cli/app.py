"""The command and the list of its subcommands. A subcommand's module is imported when it is used, not before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from longshore_cli.command import Command

__all__ = ["COMMANDS", "cli"]

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "init": "Write a commented longshore.toml to start from.",
        "run": "Run a workflow, or continue its unfinished run.",
        "plan": "Show what a run would do, and why, without doing it.",
        "status": "Show how a run, or one of its tasks, stands.",
        "top": "Show what the machines and attempts of a running run use now.",
        "watch": "Watch a run on a full screen: its graph, tasks, machines with load and cost, and logs.",
        "fetch": "Copy what tasks have written to a folder, also while the run goes on.",
        "logs": "Show what a task wrote to stdout and stderr.",
        "explain": "Say why a task ran or did not, and why it failed.",
        "resume": "Continue a run that was interrupted or lost its controller.",
        "cancel": "End a running run, or some of its tasks.",
        "runs": "List the runs of this project, or compare two of them.",
        "attach": "Find runs whose controllers are on a machine, also from another computer.",
        "takeover": "Go on here with a run whose controller is gone with its machine.",
        "report": "Tell what a run came to: figures, tables, pictures and a page.",
        "import": "Write a workflow like one of another system.",
        "export": "Write a run, by default the latest, in a format of others.",
        "graph": "Draw a workflow as Mermaid, DOT or SVG.",
        "machines": "List, rent, stop, start and end machines, by the same words on every cloud.",
        "clusters": "List, rent, scale and end Kubernetes clusters of the clouds.",
        "hosts": "Say whether the hosts that pools name can be used.",
        "k8s": "Say of Kubernetes clusters whether they can be used, and what runs have there.",
        "exec": "Run one command on a machine of a pool, or beside a task that runs, and show what it writes.",
        "offers": "List what can be rented and fits, the cheapest first.",
        "images": "List, make and delete disk images of machines.",
        "gc": "End what was forgotten: machines, and what belongs to them, on every cloud.",
        "schedule": "Run workflows, start and stop machines, and clean up at given times.",
        "env": "List, build and remove the environments of this computer.",
        "plugins": "List the installed plugins.",
        "doctor": "Check this computer, and say how to mend what is wrong.",
        "clean": "Remove cached outputs, kept workdirs and old runs; environments when they are asked for.",
        "completion": "Print the script that completes commands in a shell.",
    }
)
"""Subcommands in the order of the help, each with its first line there, so that the help imports none of them."""

_HIDDEN = frozenset({"away"})
"""What one Longshore asks of another, and no person."""


class LazyGroup(click.Group):
    """A group whose subcommands live in ``longshore_cli.commands``, one module for each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names in the order of the table, then those that other distributions bring."""
        from longshore_cli.plugged_in import names

        return [*COMMANDS, *(name for name, _ in names())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None when there is none of this name.

        An installed provider has one of its own, and other distributions bring some.
        """
        if cmd_name not in COMMANDS and cmd_name not in _HIDDEN:
            from longshore_cli.plugged_in import command_of as brought
            from longshore_cli.provider_command import command_of

            return brought(cmd_name) or command_of(cmd_name)
        from importlib import import_module

        command = import_module(f"longshore_cli.commands.{cmd_name}").command
        assert isinstance(command, Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; of a misspelt one name those that are near."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            from longshore_cli.plugged_in import BROUGHT_BY

            if args[0] in BROUGHT_BY:
                ctx.fail(f"{args[0]!r} is not installed; `python -m pip install {BROUGHT_BY[args[0]]}` brings it")
            near = get_close_matches(args[0], COMMANDS, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else "`longshore --help` lists them"
            ctx.fail(f"there is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands, from the table and from what other distributions say of themselves."""
        from longshore_cli.plugged_in import names

        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items(), *names()])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"longshore {version('longshore')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`longshore COMMAND --help` has examples. `longshore PROVIDER policy` prints which rights it needs in its "
    "cloud. Where a FILE or a RUN may be named, longshore.toml and the latest "
    "run are meant by default.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Run workflows of commands and Python calls: durable, resumable, never twice what was done before."""
