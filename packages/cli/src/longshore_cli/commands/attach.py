"""``longshore attach``: find runs whose controllers are on another machine."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "attach",
    examples="""
    longshore attach alice@h1
    longshore attach alice@h1 20260314-092653
    longshore attach alice@h1 --json | jq -r '.runs[].run'
    """,
)
@click.argument("machine")
@click.argument("run", required=False)
@folder_option
@json_option
def command(invocation: Invocation, machine: str, run: str | None, folder: Path | None) -> int:
    """Find runs whose controllers are on a machine, also from another computer.

    It is `longshore run --on` that puts them there. MACHINE is a host that a pool names, or a rented machine, as for
    `longshore machines ssh`. From then on commands in this folder that are about these runs (or the one RUN whose id
    begins so) ask there.

    The JSON document is {"machine", "runs": [{"run", "workflow", "folder", "state", "phases", "over", "kept",
    "rented": {"name", "when_idle", "ends_at", "price"}, "left"}]}; "state" and "phases" are as in that of `longshore
    status`, "rented" is null unless the machine was rented for the run, and "left" is the bucket in which a run that is
    over was left whole.
    """
    from longshore_cli.away.attaching import attach

    return attach(invocation, folder, machine, run)
