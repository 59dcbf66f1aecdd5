"""``longshore offers``: what can be rented, and for how much."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.commands.machines import provider_option
from longshore_cli.invocation import Invocation
from longshore_cli.parameters import SIZE

__all__ = ["command"]


@subcommand(
    "offers",
    examples="""
    longshore offers --cpus 8 --memory 32GiB
    longshore offers --gpus 1 --gpu-model A100 --spot
    longshore offers --cpus 4 --provider aws --json | jq '.offers[0]'
    """,
)
@click.option("--cpus", type=click.FloatRange(min=0), default=0, help="At least so many cores.")
@click.option("--memory", type=SIZE, default=0, metavar="SIZE", help="At least so much memory, as in 32GiB.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, help="At least so many GPUs.")
@click.option("--gpu-model", default="", metavar="NAME", help="Of this model, as the provider spells it.")
@click.option("--arch", type=click.Choice(["x86_64", "arm64"]), help="Only this architecture.")
@click.option("--type", "kind", default="", metavar="TYPE", help="Only this type, as the cloud calls it.")
@click.option("--spot/--no-spot", default=None, help="Only spot machines, or none of them.")
@provider_option
@click.option("--most", type=click.IntRange(min=1), default=30, show_default=True, help="Show so many.")
@folder_option
@json_option
def command(
    invocation: Invocation,
    cpus: float,
    memory: int,
    gpus: int,
    gpu_model: str,
    arch: str | None,
    kind: str,
    spot: bool | None,
    providers: tuple[str, ...],
    most: int,
    folder: Path | None,
) -> int:
    """List what can be rented and fits, the cheapest first.

    Of all providers that are configured or installed. A price that nobody knows is shown as "?", and comes last. Exit
    code 1 when a configured provider could not be asked.

    The JSON document has all of them: {"offers": [{"provider", "type", "region", "zone", "cpus", "memory_bytes",
    "gpus", "gpu_model", "disk_bytes", "arch", "spot", "price": {"per_hour", "currency", "source", "at"}}], "unasked":
    [{"provider", "expected", "error"}]}.
    """
    from longshore.model.offer import Needs
    from longshore_cli.fleet import show_offered

    needs = Needs(cpus=cpus, memory_bytes=memory, gpus=gpus, gpu_model=gpu_model, arch=arch or "", type=kind)
    return show_offered(invocation, folder, needs, providers=providers, spot=spot, most=most)
