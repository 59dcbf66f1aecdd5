"""Here: putting the controller of a new run on another machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from typing import Any

from longshore.config.document import to_document
from longshore.errors import LongshoreError
from longshore.machines import open_shell
from longshore.model.workflow import WorkflowSpec
from longshore.plugin import Shell
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import check
from longshore.runtime.processes import this_process
from longshore.runtime.project import Project, new_run_id
from longshore_cli.away.moving import asked, feed_bytes, open_transfers
from longshore_cli.away.project_files import Sent, described, sent_of
from longshore_cli.away.seats import Seat, forget_seat, keep_seat
from longshore_cli.away.sitting import VERSION
from longshore_cli.away.software import bring_software, needed_plugins
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer_json, say
from longshore_cli.telling import telling
from longshore_cli.text import counted

__all__ = ["runs_there", "start_away"]

_HEAVY_BYTES = 100 << 20


def start_away(spec: WorkflowSpec, project: Project, options: RunOptions, machine: str, invocation: Invocation) -> int:
    """Begin a run whose controller is on a machine, and leave it there; give the exit code.

    Raises:
        ConfigError: when the workflow cannot run as it is written; nothing has been done.
        UsageError: when there is no such machine, or the workflow needs what only this computer has.
        LongshoreError: when it cannot be begun there.
    """
    check(spec, options)
    project.home.mkdir(exist_ok=True)
    sent = sent_of(project.folder, spec, project.store)
    for notice in described(sent, _HEAVY_BYTES):
        say(notice)
    run = new_run_id()
    with telling(invocation) as tell, open_shell(machine, folder=project.folder, tell=tell) as shell:
        python = bring_software(shell, needed_plugins(spec), project.store, tell)
        name = _folder_name(spec.name, project)
        seat = Seat(run=run, workflow=spec.name, machine=machine, python=python, folder=f".longshore/away/{name}")
        keep_seat(project, seat)
        invocation.began = True
        tell(f"bringing {counted(len(sent.files), 'file')} there")
        try:
            _begin(shell, seat, name, project, sent, {"workflow": to_document(spec), "options": options.to_json()})
        except LongshoreError:
            if not _is_there(shell, seat):
                forget_seat(project, run)
            raise
    _tell(seat, len(spec.tasks), invocation)
    return 0


def _folder_name(workflow: str, project: Project) -> str:
    """Name the project's folder there: the same for each run of this project, and of no other."""
    home = f"{this_process().host}:{project.folder.resolve()}"
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', workflow)[:40]}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:8]}"


def _begin(shell: Shell, seat: Seat, name: str, project: Project, sent: Sent, order: dict[str, str]) -> None:
    with open_transfers(shell, seat.run, project.store) as (transfers, place):
        transfers.put(sent.files)
        request = order | {
            "version": VERSION,
            "run": seat.run,
            "store": f"{place}/store",
            "files": [[item.path, item.sha256, item.size, item.mode] for item in sent.files],
            "links": sent.links,
        }
        with feed_bytes(json.dumps(request).encode()) as feed:
            asked(shell, [*seat.program, "away", "begin", name], feed=feed)


def _is_there(shell: Shell, seat: Seat) -> bool:
    """Say whether the run is known there; also when that cannot be found out, since it must not be forgotten then."""
    try:
        return any(each["run"] == seat.run for each in runs_there(shell, seat.program))
    except LongshoreError:
        return True


def runs_there(shell: Shell, program: Sequence[str]) -> list[dict[str, Any]]:
    """List the runs that have their controllers on a machine, the newest first.

    Raises:
        ExecutorError: when it cannot tell.
    """
    told = json.loads(asked(shell, [*program, "away", "list"]))
    found: list[dict[str, Any]] = told["runs"]
    return found


def _tell(seat: Seat, tasks: int, invocation: Invocation) -> None:
    if invocation.json:
        answer_json({"run": seat.run, "workflow": seat.workflow, "machine": seat.machine, "tasks": tasks})
    elif not invocation.quiet:
        say(f"run {seat.run}: its controller is on {seat.machine}, and this computer may be switched off.")
        say("`longshore status`, `logs`, `explain`, `cancel`, `resume` and `fetch` ask there.")
