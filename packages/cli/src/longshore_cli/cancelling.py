"""How `cancel` reaches whoever controls the run, or becomes its controller for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from longshore.errors import UsageError
from longshore.model.events import Event
from longshore.runtime.asking import Events, ask
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.runtime.run import Run, resume
from longshore_cli.driving import attend
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.text import counted, counts

__all__ = ["cancel"]


def cancel(project: Project, reader: RunReader, tasks: Sequence[str], invocation: Invocation) -> int:
    """End a run, or these of its tasks; give the exit code. Silent for what has ended.

    Raises:
        UsageError: when there is no such task, or nobody who could cancel single ones.
    """
    info = reader.info()
    if info.state == "running":
        return _ask(reader, tasks, invocation)
    if not info.resumable:
        if not invocation.quiet:
            say(f"Run {info.id} has ended already: {info.state}.")
        return 0
    if tasks:
        raise UsageError(
            f"nobody controls run {info.id} now, so single tasks cannot be cancelled; "
            f"`longshore resume {info.id}` continues it, `longshore cancel {info.id}` ends it"
        )

    def begin(listen: Callable[[Sequence[Event]], None] | None) -> Run:
        run = resume(project.folder, info.id, listen=listen)
        run.cancel()
        return run

    attend(begin, invocation)
    return 0 if reader.info().state == "cancelled" else 1


def _ask(reader: RunReader, tasks: Sequence[str], invocation: Invocation) -> int:
    run = reader.folder.name
    if tasks:
        ask(reader.folder, "cancel", {"tasks": list(tasks)})
        if not invocation.quiet:
            say(f"Run {run} is told to cancel {counted(len(tasks), 'task')}; see `longshore status`.")
        return 0
    with Events(reader.folder) as events:
        ask(reader.folder, "cancel")
        for _ in events:
            pass  # its end is what is waited for
    info = reader.info()
    if not invocation.quiet:
        say(f"Run {run} {info.state}: {counts(info.phases)}.")
    return 0
