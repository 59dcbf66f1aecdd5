"""``longshore runs``: what has run here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longshore.errors import LongshoreError
from longshore.runtime.history import RunInfo, RunReader
from longshore_cli.command import command as subcommand
from longshore_cli.command import folder_option, json_option
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import find_project
from longshore_cli.text import ago, clean, counts, duration, table

__all__ = ["command"]


@subcommand(
    "runs",
    examples="""
    longshore runs
    longshore runs --json | jq -r '.runs[] | select(.state == "failed") | .id'
    """,
)
@folder_option
@json_option
def command(invocation: Invocation, folder: Path | None) -> None:
    """List the runs of this project.

    The newest comes first. The JSON document is {"runs": [{"id", "workflow", "state", "started", "ended", "tasks",
    "phases"}]}; a run whose record cannot be read has the state "damaged" and a "problem".
    """
    project = find_project(folder)
    found = [_look(RunReader(project.run_folder(run))) for run in project.run_ids()]
    if invocation.json:
        answer_json({"runs": [_document(run, look) for run, look in found]})
    elif found:
        now = datetime.now(UTC)
        headings = ["RUN", "WORKFLOW", "STATE", "STARTED", "TOOK", "TASKS"]
        answer(table([_row(run, look, now) for run, look in found], headings))
    else:
        say(f"There are no runs in {project.folder}; `longshore run` makes one.")


def _look(reader: RunReader) -> tuple[str, RunInfo | str]:
    run = reader.folder.name
    try:
        return run, reader.info()
    except LongshoreError as error:
        # One damaged record must not hide the others.
        return run, clean(str(error))


def _row(run: str, look: RunInfo | str, now: datetime) -> list[str]:
    if isinstance(look, str):
        return [run, "", paint("damaged", "bad"), "", "", look]
    took = duration((look.ended or now) - look.started) if look.ended or look.state == "running" else ""
    return [run, clean(look.workflow), look.state, ago(look.started, now), took, counts(look.phases)]


def _document(run: str, look: RunInfo | str) -> dict[str, Any]:
    if isinstance(look, str):
        return {"id": run, "state": "damaged", "problem": look}
    return {
        "id": run,
        "workflow": look.workflow,
        "state": look.state,
        "started": look.started,
        "ended": look.ended,
        "tasks": look.tasks,
        "phases": look.phases,
    }
