"""``longshore clusters``: Kubernetes clusters that are rented."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.commands.machines import provider_option
from longshore_cli.completing import machines as machine_names
from longshore_cli.completing import pools
from longshore_cli.invocation import Invocation
from longshore_cli.parameters import DURATION, MONEY

if TYPE_CHECKING:
    from longshore.model.quantity import Money

__all__ = ["command"]

_names = click.argument("names", metavar="CLUSTER...", nargs=-1, required=True, shell_complete=machine_names)
_name = click.argument("name", metavar="CLUSTER", shell_complete=machine_names)


class _Rented(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "clusters",
    cls=_Rented,
    invoke_without_command=True,
    examples="""
    longshore clusters
    longshore clusters up cloud
    longshore clusters down cloud-1
    """,
)
@json_option
def command(invocation: Invocation) -> int:
    """List, rent, scale and end Kubernetes clusters of the clouds.

    Without a word behind it, it lists them. They are machines, too: `longshore machines` and `longshore gc` know them.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    from longshore_cli.rented_clusters import show_clusters

    return show_clusters(invocation, None, ())


@subcommand(
    "list",
    examples="""
    longshore clusters list
    longshore clusters list --provider eks --json
    """,
)
@provider_option
@folder_option
@json_option
def _list(invocation: Invocation, providers: tuple[str, ...], folder: Path | None) -> int:
    """List your clusters, as the clouds show them now, with their nodes and what all of it costs.

    The JSON document is {"clusters": [...], "unasked": [...]}, as `longshore machines list` has them, each with
    "nodes" besides.
    """
    from longshore_cli.rented_clusters import show_clusters

    return show_clusters(invocation, folder, providers)


@subcommand(
    "up",
    examples="""
    longshore clusters up cloud
    longshore clusters up cloud --name shared --for '8 h' --max-cost '10 USD'
    """,
)
@click.argument("pool", shell_complete=pools)
@click.option("--name", default="", metavar="LABEL", help="Name it so.")
@click.option("--for", "lifetime", type=DURATION, help="It ends so long from now; else after the pool's lifetime.")
@click.option("--max-cost", type=MONEY, help="It may cost so much until its end; else the pool's max_cost.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@folder_option
@json_option
def _up(
    invocation: Invocation,
    pool: str,
    name: str,
    lifetime: timedelta | None,
    max_cost: Money | None,
    yes: bool,
    folder: Path | None,
) -> int:
    """Rent the cluster of a pool, and wait until it is there.

    It belongs to no run, and runs of the project use it. Without --yes and a max_cost it asks first, with an estimate.
    The JSON document is {"machines": [...]}, as `longshore machines list` has them.
    """
    from longshore_cli.rented_clusters import rent

    return rent(invocation, folder, pool, name=name, lifetime=lifetime, max_cost=max_cost, asking=not yes)


@subcommand(
    "scale",
    examples="""
    longshore clusters scale cloud-1 --nodes 10
    longshore clusters scale cloud-1 --nodes 0
    """,
)
@_names
@click.option("--nodes", type=click.IntRange(min=0), required=True, help="So many each; 0 leaves the control plane.")
@provider_option
@folder_option
@json_option
def _scale(
    invocation: Invocation, names: tuple[str, ...], nodes: int, providers: tuple[str, ...], folder: Path | None
) -> int:
    """Let clusters have more nodes, or fewer.

    The JSON document is {"done": [{"provider", "what", "error"}]}. Exit code 1 when one could not be scaled.
    """
    from longshore_cli.rented_clusters import scale

    return scale(invocation, folder, names, nodes, providers)


@subcommand(
    "down",
    examples="""
    longshore clusters down cloud-1
    """,
)
@_names
@provider_option
@folder_option
@json_option
def _down(invocation: Invocation, names: tuple[str, ...], providers: tuple[str, ...], folder: Path | None) -> int:
    """End clusters that are named, with their nodes.

    Nodes go first, which takes minutes: `longshore gc --wait` goes on until all of it is proven gone. The JSON document
    is {"done": [{"provider", "what", "error"}]}.
    """
    from longshore_cli.fleet import change

    return change(invocation, folder, "down", names, providers=providers, pool="", foreign=False)


@subcommand(
    "kubeconfig",
    examples="""
    longshore clusters kubeconfig cloud-1 > cloud.kubeconfig
    kubectl --kubeconfig cloud.kubeconfig get nodes
    """,
)
@_name
@folder_option
def _kubeconfig(invocation: Invocation, name: str, folder: Path | None) -> int:
    """Print a kubeconfig for a cluster. There is no secret in it: it calls `longshore clusters token`."""
    from longshore_cli.rented_clusters import show_kubeconfig

    return show_kubeconfig(invocation, folder, name)


@subcommand(
    "token",
    examples="""
    longshore clusters token cloud-1
    """,
)
@_name
@folder_option
def _token(invocation: Invocation, name: str, folder: Path | None) -> int:
    """Print what lets its holder into a cluster for some minutes, as programs with a kubeconfig ask for it."""
    from longshore_cli.rented_clusters import show_token

    return show_token(invocation, folder, name)


assert isinstance(command, click.Group)
for _each in (_list, _up, _scale, _down, _kubeconfig, _token):
    command.add_command(_each)
