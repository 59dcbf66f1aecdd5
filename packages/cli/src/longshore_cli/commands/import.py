"""``longshore import``: workflows that others have published."""  # noqa: N999  a subcommand's module has its name

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "import",
    examples="""
    longshore import wfformat montage.json --to montage
    longshore import wfformat blast.json --scale 0.01 --compute
    """,
)
@click.argument("format", type=click.Choice(["wfformat"]), expose_value=False)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Where; else here.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, max=1e6),
    default=1.0,
    metavar="N",
    help="Let tasks take so many times as long as was recorded, as in 0.01.",
)
@click.option("--compute", is_flag=True, help="Keep a core busy, and do not sleep.")
def command(invocation: Invocation, file: Path, to: Path | None, scale: float, compute: bool) -> None:
    """Write a workflow like one that others have published and recorded.

    Each of its tasks has a stand-in that takes as long as was recorded and writes files of the recorded sizes. FOLDER
    gets longshore.toml, work.py, the files that no task writes, and durations.csv for `longshore plan --durations`.
    What is there already is never overwritten.
    """
    from longshore_cli.importing import import_wfformat

    import_wfformat(file, to or Path(), scale, invocation, compute=compute)
