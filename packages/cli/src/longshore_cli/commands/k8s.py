"""``longshore k8s``: clusters that pools name."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.completing import pools
from longshore_cli.invocation import Invocation

__all__ = ["command"]

_pools_argument = click.argument("words", metavar="[POOL]...", nargs=-1, shell_complete=pools)


class _Clusters(Command, click.Group):
    """Has words behind it that do something."""


@subcommand(
    "k8s",
    cls=_Clusters,
    examples="""
    longshore k8s check
    longshore k8s pods
    """,
)
def command(_: Invocation) -> int:
    """Say of Kubernetes clusters whether they can be used, and what runs have there."""
    return 0


@subcommand(
    "check",
    examples="""
    longshore k8s check
    longshore k8s check cluster --json
    """,
)
@_pools_argument
@folder_option
@json_option
def _check(invocation: Invocation, words: tuple[str, ...], folder: Path | None) -> int:
    """Say whether clusters can be used, and how to mend what is wrong.

    The login, the rights that a run needs, the quota, and whether a pod of ours would be let in. Nothing is made. Exit
    code 1 when a cluster cannot be used. The JSON document is that of `longshore hosts check`.
    """
    from longshore_cli.cluster_view import check

    return check(invocation, folder, words)


@subcommand(
    "manifest",
    examples="""
    longshore k8s manifest > review.yaml
    """,
)
@_pools_argument
@folder_option
def _manifest(_: Invocation, words: tuple[str, ...], folder: Path | None) -> int:
    """Print what a run would make, and the role that it needs, as YAML. No cluster is asked.

    Names of run, pool and task stand for the real ones.
    """
    from longshore_cli.cluster_view import show_manifest

    return show_manifest(folder, words)


@subcommand(
    "pods",
    examples="""
    longshore k8s pods
    longshore k8s pods cluster --json
    """,
)
@_pools_argument
@folder_option
@json_option
def _pods(invocation: Invocation, words: tuple[str, ...], folder: Path | None) -> int:
    """List the pods of all runs: node, state, restarts, age, and what they use where the cluster measures it.

    The JSON document is {"pods": [{"name", "pool", "run", "task", "machine", "node", "state", "says", "restarts",
    "born", "cpus", "memory_bytes"}]}.
    """
    from longshore_cli.cluster_view import list_pods

    return list_pods(invocation, folder, words)


@subcommand(
    "gc",
    examples="""
    longshore k8s gc --dry-run
    longshore k8s gc
    """,
)
@_pools_argument
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--foreign", is_flag=True, help="Remove also what is of runs that this project does not know.")
@folder_option
@json_option
def _gc(invocation: Invocation, words: tuple[str, ...], dry_run: bool, foreign: bool, folder: Path | None) -> int:
    """Remove what runs of this project that are over have left on clusters, and nothing else.

    Runs that go on or can be resumed keep what they have. What is of runs that this project does not know is listed:
    it may be of another project or of a colleague.

    Exit code 1 when something could not be removed. The JSON document is {"dry_run", "runs": [{"pool", "run", "whose",
    "removed", "error"}]}, with whose one of ended, resumable, running and unknown.
    """
    from longshore_cli.cluster_view import sweep

    return sweep(invocation, folder, words, dry_run=dry_run, foreign=foreign)


assert isinstance(command, click.Group)
for _each in (_check, _manifest, _pods, _gc):
    command.add_command(_each)
