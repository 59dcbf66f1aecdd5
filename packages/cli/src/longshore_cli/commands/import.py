"""``longshore import``: workflows of other systems."""  # noqa: N999  a subcommand's module has its name

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import json_option
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "import",
    examples="""
    longshore import cloudsend config.py
    longshore import dagonstar workflow.json --to here
    longshore import gismo my-project
    longshore import wfformat montage.json --to montage
    longshore import wfformat blast.json --scale 0.01 --compute
    """,
)
@click.argument("kind", metavar="FORMAT", type=click.Choice(["cloudsend", "dagonstar", "gismo", "wfformat"]))
@click.argument("source", metavar="FILE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where; else here, or where the paths of the imported project begin.",
)
@click.option(
    "--scale",
    type=click.FloatRange(min=0, max=1e6),
    default=1.0,
    metavar="N",
    help="wfformat: let tasks take so many times as long as was recorded, as in 0.01.",
)
@click.option("--compute", is_flag=True, help="wfformat: keep a core busy, and do not sleep.")
@json_option
def command(invocation: Invocation, kind: str, source: Path, to: Path | None, scale: float, compute: bool) -> None:
    """Write a workflow like one of another system.

    What was not carried over is told, and stands as comments in the file. cloudsend reads `config = {...}` of a
    Python file, or the same as JSON; gismo a project's folder; dagonstar the JSON of a workflow. They are read as data:
    nothing of them is executed. longshore.toml of the first two lies beside what is imported, since the paths in it
    begin there.

    wfformat reads what others have published and recorded: each task has a stand-in that takes as long as was recorded
    and writes files of the recorded sizes. FOLDER gets work.py, the files that no task writes, and durations.csv for
    `longshore plan --durations`, too.

    What is there already is never overwritten. The JSON document is {"file", "tasks", "remarks"}.
    """
    from longshore_cli.importing import import_project, import_wfformat

    if kind == "wfformat":
        import_wfformat(_file(source), to or Path(), scale, invocation, compute=compute)
        return
    if compute or scale != 1.0:
        raise click.UsageError("--scale and --compute go with wfformat only: the others have commands of their own")
    if kind == "dagonstar":
        from longshore_cli.imports.dagonstar import import_dagonstar

        import_project(import_dagonstar(_file(source)), to or Path(), invocation)
        return
    if to is not None:
        raise click.UsageError(f"paths begin where {source} is, so longshore.toml is written there; leave --to out")
    if kind == "cloudsend":
        from longshore_cli.imports.cloudsend import import_cloudsend

        import_project(import_cloudsend(_file(source)), source.parent, invocation)
    else:
        from longshore_cli.imports.gismo import import_gismo

        if not source.is_dir():
            raise click.UsageError(f"{source} is no folder; name the folder of the project")
        import_project(import_gismo(source), source, invocation)


def _file(source: Path) -> Path:
    if source.is_dir():
        raise click.UsageError(f"{source} is a folder; name a file")
    return source
