"""Here: finding what was begun from another computer, and knowing it from then on."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from longshore.errors import ExecutorError, UsageError
from longshore.machines import open_shell
from longshore.plugin import Shell
from longshore.runtime.project import Project
from longshore_cli.away.moving import BASE, asked
from longshore_cli.away.orders import said_of_seat
from longshore_cli.away.seats import Seat, keep_seat, seats_of
from longshore_cli.away.starting import runs_there
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import clean, table

__all__ = ["attach"]

_NEWEST = f'cd && ls -td "$PWD/{BASE}"/controllers/*/complete | head -n 1'


def attach(invocation: Invocation, folder: Path | None, machine: str, run: str | None) -> int:
    """Note the runs that are on a machine, all or those that are named, and tell; give the exit code.

    Raises:
        UsageError: when there is no such machine or run.
        ExecutorError: when the machine lets nobody in.
    """
    project = Project(folder_of(folder))
    with telling(invocation) as tell, open_shell(machine, folder=project.folder, tell=tell) as shell:
        python = _python(shell, machine)
        seat = Seat(run="", workflow="", machine=machine, python=python, folder="")
        found = [each for each in runs_there(shell, seat.program) if str(each["run"]).startswith(run or "")]
    if not found:
        raise UsageError(f"no run{f' {run}' if run else ''} has its controller on {machine}")
    known = {seat.run: seat for seat in seats_of(project)}
    for each in found:
        run_there = str(each["run"])
        # Whoever has rented the machine for it still gives it back.
        seat = known.get(run_there) or Seat(run=run_there, workflow=str(each["workflow"]), machine=machine)
        keep_seat(project, evolve(seat, machine=machine, python=python, folder=str(each["folder"])))
    if invocation.json:
        answer_json({"machine": machine, "runs": found})
    else:
        rows = [[clean(str(each["run"])), clean(str(each["workflow"])), _state(each)] for each in found]
        answer(table(rows, ["RUN", "WORKFLOW", "STATE"]))
        for each in found:
            said = said_of_seat(each)
            if said:
                say(f"Of {clean(str(each['run']))} {clean(said)}.")
        if not invocation.quiet:
            say(f"Commands in {project.folder} ask {machine} about them from now on.")
    return 0


def _python(shell: Shell, machine: str) -> str:
    """Find the Python there that has Longshore: that which was put there last."""
    try:
        told = asked(shell, ["sh", "-c", _NEWEST]).decode().strip()
    except ExecutorError:
        told = ""
    if not told:
        raise UsageError(f"no controller was ever put on {machine}")
    return f"{told.removesuffix('/complete')}/bin/python"


def _state(each: dict[str, object]) -> str:
    return "over" if each["over"] else "goes on" if each["kept"] else "waits for `longshore resume`"
