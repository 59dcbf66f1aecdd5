"""``longshore export``: a run in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation

__all__ = ["command"]


@subcommand(
    "export",
    of_run=True,
    examples="""
    longshore export wfformat --to run.json
    longshore export mermaid 20260314-092653 >> README.md
    longshore export ro-crate --to pv.crate --agent "Ada Lovelace" --licence https://spdx.org/licenses/CC-BY-4.0
    """,
)
@click.argument("kind", metavar="FORMAT", type=click.Choice(["wfformat", "mermaid", "ro-crate"]))
@click.argument("run", required=False, shell_complete=runs)
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A new file, else stdout; of a crate a new or empty folder, else one named by workflow and run.",
)
@click.option("--agent", metavar="NAME", help="ro-crate: who ran it; else the name that you are logged in by.")
@click.option("--licence", default="", metavar="TEXT", help="ro-crate: of what is in it; best the URL of a licence.")
@folder_option
def command(
    invocation: Invocation,
    kind: str,
    run: str | None,
    to: Path | None,
    agent: str | None,
    licence: str,
    folder: Path | None,
) -> None:
    """Write a run, by default the latest, in a format of others.

    wfformat is the record that the WfCommons tools read, and `longshore import wfformat`: tasks, files, sizes, times.
    mermaid is the graph, coloured by how its tasks stand. ro-crate is a folder that can be published: a Workflow Run
    Crate with the workflow, the results that are at home, and what was made of what, when, where and by whom, with
    digests. What is not in the folder is named by its digest alone.
    """
    from longshore.runtime.history import RunReader
    from longshore_cli.exporting import export_crate, export_mermaid, export_wfformat
    from longshore_cli.places import find_project

    if kind != "ro-crate" and (agent or licence):
        raise click.UsageError("--agent and --licence go with ro-crate only")
    project = find_project(folder)
    reader = RunReader(project.run_folder(project.find_run(run)))
    match kind:
        case "wfformat":
            export_wfformat(project, reader, to, invocation)
        case "mermaid":
            export_mermaid(reader, to, invocation)
        case _:
            export_crate(project, reader, to, agent, licence, invocation)
