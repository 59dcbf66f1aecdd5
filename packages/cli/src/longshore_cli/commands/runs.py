"""``longshore runs``: what has run here."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from longshore.errors import LongshoreError
from longshore.runtime.history import RunInfo, RunReader
from longshore_cli.away.seats import Seat, seats_of
from longshore_cli.command import Command, folder_option, json_option
from longshore_cli.command import command as subcommand
from longshore_cli.completing import runs
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import find_project
from longshore_cli.text import ago, clean, counts, duration, table

__all__ = ["command"]

_Seen = tuple[str, RunInfo | Seat | str]
"""A run's id, and how it stands, where its controller is when that is elsewhere, or why its record cannot be read."""


class _Runs(Command, click.Group):
    """Lists by itself; a word behind it does something else."""


@subcommand(
    "runs",
    cls=_Runs,
    invoke_without_command=True,
    examples="""
    longshore runs
    longshore runs --json | jq -r '.runs[] | select(.state == "failed") | .id'
    longshore runs diff 20260314-092653 20260315-101500
    """,
)
@folder_option
@json_option
def command(invocation: Invocation, folder: Path | None) -> None:
    """List the runs of this project, or compare two of them.

    The newest comes first. The JSON document is {"runs": [{"id", "workflow", "state", "started", "ended", "tasks",
    "phases"}]}; a run whose record cannot be read has the state "damaged" and a "problem", and one whose controller is
    elsewhere, which is not asked, the state "away" and a "machine".
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    project = find_project(folder)
    found: list[_Seen] = [_look(RunReader(project.run_folder(run))) for run in project.run_ids()]
    here = {run for run, _ in found}
    found += [(seat.run, seat) for seat in seats_of(project) if seat.run not in here]
    found.sort(key=itemgetter(0), reverse=True)
    if invocation.json:
        answer_json({"runs": [_document(run, look) for run, look in found]})
    elif found:
        now = datetime.now(UTC)
        headings = ["RUN", "WORKFLOW", "STATE", "STARTED", "TOOK", "TASKS"]
        answer(table([_row(run, look, now) for run, look in found], headings))
    else:
        say(f"There are no runs in {project.folder}; `longshore run` makes one.")


def _look(reader: RunReader) -> _Seen:
    run = reader.folder.name
    try:
        return run, reader.info()
    except LongshoreError as error:
        # One damaged record must not hide the others.
        return run, clean(str(error))


def _row(run: str, look: RunInfo | Seat | str, now: datetime) -> list[str]:
    if isinstance(look, Seat):
        return [run, clean(look.workflow), f"away, on {clean(look.machine)}", "", "", ""]
    if isinstance(look, str):
        return [run, "", paint("damaged", "bad"), "", "", look]
    took = duration((look.ended or now) - look.started) if look.ended or look.state == "running" else ""
    return [run, clean(look.workflow), look.state, ago(look.started, now), took, counts(look.phases)]


def _document(run: str, look: RunInfo | Seat | str) -> dict[str, Any]:
    if isinstance(look, Seat):
        return {"id": run, "workflow": look.workflow, "state": "away", "machine": look.machine}
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


@subcommand(
    "diff",
    examples="""
    longshore runs diff 20260314-092653 20260315-101500
    longshore runs diff 20260314
    longshore runs diff 20260314 20260315 --json | jq '.seconds'
    """,
)
@click.argument("first", shell_complete=runs)
@click.argument("second", required=False, shell_complete=runs)
@folder_option
@json_option
def _diff(invocation: Invocation, first: str, second: str | None, folder: Path | None) -> None:
    """Compare two runs: what ran again in the SECOND, and why, and what it took and cost more or less.

    Runs are named by the beginning of their ids; the latest is the second one when none is named. Shown are tasks that
    ran in the second run, ended otherwise there, or are in one of the runs only; -v shows all of them.

    The JSON document is {"first", "second": {"run", "state", "ran", "seconds", "series", "costs"}, "seconds", "costs",
    "params", "tasks": [{"task", "first", "second": {"phase", "attempts", "seconds", "why"}, "why"}]}, where "seconds"
    and "costs" at the top are by how much the second run exceeds the first.
    """
    from longshore_cli.comparing import show_difference

    project = find_project(folder)
    one, other = (RunReader(project.run_folder(project.find_run(run))) for run in (first, second))
    show_difference(one, other, invocation)


assert isinstance(command, click.Group)
command.add_command(_diff)
