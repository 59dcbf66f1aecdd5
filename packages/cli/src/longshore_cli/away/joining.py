"""Here: letting more tasks join a run whose controller is elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable

from attrs import evolve

from longshore.config.document import to_document
from longshore.model.events import TasksAdded
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.away.forwarding import asking
from longshore_cli.away.moving import asked, feed_bytes, open_transfers
from longshore_cli.away.project_files import sent_of
from longshore_cli.away.records import record_of
from longshore_cli.away.seats import VERSION, Seat, there
from longshore_cli.invocation import Invocation

__all__ = ["join_away"]


def join_away(
    seat: Seat, project: Project, read: Callable[[RunReader], WorkflowSpec], invocation: Invocation
) -> WorkflowSpec:
    """Let tasks join, with the files that they need; give them. ``read`` reads them, given what the run has.

    Raises:
        ConfigError: with every mistake in them.
        UsageError: when they need what only this computer has.
        ExecutorError: when the run there does not take them; says why.
    """
    with asking(seat, project, invocation) as shell:
        with record_of(shell, seat, project) as folder:
            reader = RunReader(Project(folder).run_folder(seat.run))
            spec = read(reader)
            began = reader.workflow()
            joined = [event for _, event in reader.events(kind="TasksAdded") if isinstance(event, TasksAdded)]
        tasks = (*began.tasks, *(task for event in joined for task in event.tasks), *spec.tasks)
        sent = sent_of(project.folder, evolve(began, tasks=tasks), project.store)
        with open_transfers(shell, f"join-{seat.run}", project.store) as (transfers, place):
            transfers.put(sent.files)
            request = {
                "version": VERSION,
                "run": seat.run,
                "document": to_document(spec),
                "store": f"{place}/store",
                "files": [[item.path, item.sha256, item.size, item.mode] for item in sent.files],
                "links": sent.links,
            }
            with feed_bytes(json.dumps(request).encode()) as feed:
                asked(shell, there(seat, "away", "join"), feed=feed)
    return spec
