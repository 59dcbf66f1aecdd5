"""``longshore completion``: the script that lets a shell complete commands, options, runs and tasks."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from longshore_cli.app import cli
from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer

__all__ = ["command"]


@subcommand(
    "completion",
    examples="""
    longshore completion bash > ~/.local/share/bash-completion/completions/longshore
    longshore completion zsh > "${fpath[1]}/_longshore"
    longshore completion fish > ~/.config/fish/completions/longshore.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(_: Invocation, shell: str) -> None:
    """Print the script that completes commands in a shell.

    It completes subcommands and options, and the names of tasks and runs of the project that you are in.
    """
    found = get_completion_class(shell)
    assert found is not None  # these three come with click
    # The bash one's own method runs bash to ask for its version; the script needs nothing of that.
    answer(ShellComplete.source(found(cli, {}, "longshore", "_LONGSHORE_COMPLETE")))
