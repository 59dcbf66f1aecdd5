"""Here: finding what was begun from another computer, and knowing it from then on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from longshore.errors import UsageError
from longshore.machines import open_shell
from longshore.plugin import Shell
from longshore.runtime.project import Project
from longshore_cli.away.moving import BASE, asked
from longshore_cli.away.orders import said_of_seat
from longshore_cli.away.seats import Seat, keep_seat, seats_of
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import clean, counts, table

__all__ = ["attach"]

_LIST = f"""
cd && found=$(ls -td "$PWD/{BASE}"/controllers/*/complete 2>/dev/null | head -n 1)
[ -n "$found" ] || exit 0
python=${{found%/complete}}/bin/python
printf '%s\\n' "$python"
exec "$python" -I -m longshore_cli away list
"""
"""Says which Python there has Longshore, that which was put there last, and what its Longshore lists; or nothing."""


def attach(invocation: Invocation, folder: Path | None, machine: str, run: str | None) -> int:
    """Note the runs that are on a machine, all or those that are named, and tell; give the exit code.

    Raises:
        UsageError: when there is no such machine or run.
        ExecutorError: when the machine lets nobody in.
    """
    project = Project(folder_of(folder))
    with telling(invocation) as tell, open_shell(machine, folder=project.folder, tell=tell) as shell:
        python, there = _listed(shell, machine)
    found = [each for each in there if str(each["run"]).startswith(run or "")]
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
        rows = [[clean(str(each["run"])), clean(str(each["workflow"])), _stands(each), _tasks(each)] for each in found]
        answer(table(rows, ["RUN", "WORKFLOW", "STATE", "TASKS"]))
        for each in found:
            said = said_of_seat(each)
            if said:
                say(f"Of {clean(str(each['run']))} {clean(said)}.")
        if not invocation.quiet:
            say(f"Commands in {project.folder} ask {machine} about them from now on.")
    return 0


def _listed(shell: Shell, machine: str) -> tuple[str, list[dict[str, Any]]]:
    """Find the Python there that has Longshore, and the runs, at once: each question takes a login shell."""
    python, _, told = asked(shell, ["sh", "-c", _LIST]).decode().partition("\n")
    if not python:
        raise UsageError(f"no controller was ever put on {machine}")
    found: list[dict[str, Any]] = json.loads(told)["runs"]
    return python, found


def _stands(each: Mapping[str, Any]) -> str:
    return "over" if each["over"] else "goes on" if each["kept"] else "waits for `longshore resume`"


def _tasks(each: Mapping[str, Any]) -> str:
    """Say how many tasks are where; nothing when a Longshore there does not tell."""
    phases = each.get("phases") or {}
    return counts({clean(str(phase)): int(count) for phase, count in phases.items()})
