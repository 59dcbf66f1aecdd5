"""How `export` writes a run in the formats of others."""

from __future__ import annotations

import getpass
import json
from importlib.metadata import version
from pathlib import Path

import click
from attrs import evolve

from longshore.errors import UsageError
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.exports.ran import Ran, read_ran
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, say
from longshore_cli.summary import shown_path
from longshore_cli.text import counted

__all__ = ["export_crate", "export_mermaid", "export_wfformat"]


def export_wfformat(project: Project, reader: RunReader, to: Path | None, invocation: Invocation) -> None:
    """Write a run in WfFormat, to stdout when no file is named."""
    from longshore_cli.exports.wfformat import wfformat

    ran = read_ran(project, reader)
    paths = {path for task in ran.tasks for path in task.inputs}
    sizes = {path: (project.folder / path).stat().st_size for path in paths if (project.folder / path).is_file()}
    _write(json.dumps(wfformat(ran, sizes, version("longshore")), indent=2), to, invocation)


def export_mermaid(reader: RunReader, to: Path | None, invocation: Invocation) -> None:
    """Write a run's graph, coloured by how its tasks stand."""
    from longshore_cli.drawing.words import mermaid
    from longshore_cli.report.graph import coloured, outcomes
    from longshore_cli.report.record import read_record

    record = read_record(reader)
    picture = coloured(record.workflow, outcomes(record))
    _write(mermaid(evolve(picture, title=f"{picture.title}, run {record.info.id}")), to, invocation)


def export_crate(
    project: Project, reader: RunReader, to: Path | None, agent: str | None, licence: str, invocation: Invocation
) -> None:
    """Write a run that has ended as a Workflow Run Crate.

    Raises:
        UsageError: when it has not ended, or the folder is not empty.
    """
    from longshore_cli.exports.crate import About, write_crate

    ran: Ran = read_ran(project, reader)
    info = ran.record.info
    if info.ended is None:
        raise UsageError(f"run {info.id} has not ended ({info.state}); a crate tells of what is over")
    folder = to or Path(f"{info.workflow}-{info.id}.crate")
    about = About(agent=agent or getpass.getuser(), licence=licence, version=version("longshore"))
    files = write_crate(ran, project, reader.meta()["workflow"], about, folder)
    if not invocation.quiet:
        say(f"{shown_path(folder)}/ has {counted(files, 'file')}.")


def _write(text: str, to: Path | None, invocation: Invocation) -> None:
    if to is None:
        answer(text)
        return
    if to.exists():
        raise click.UsageError(f"{to} exists already; name another file by --to")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text + "\n", encoding="utf-8")
    if not invocation.quiet:
        say(f"{shown_path(to)} is written.")
