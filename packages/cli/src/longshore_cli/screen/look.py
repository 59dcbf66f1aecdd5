"""What the full-screen view reads of a run each time when something has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import field, frozen

from longshore.runtime.history import RunReader, TaskInfo
from longshore.runtime.logs import read_part
from longshore.runtime.overview import Overview, read_overview, refreshed
from longshore.scheduler.state import TaskPhase
from longshore_cli.text import clean

__all__ = ["MOST_TASKS", "PHASES", "Choice", "Look", "look"]

_MOST_LOG_BYTES = 64 << 10
MOST_TASKS = 200
"""Rows of a page of tasks."""
PHASES = ("", *(phase.value for phase in TaskPhase))


@frozen(kw_only=True)
class Choice:
    """What somebody wants to see."""

    phase: str = ""
    name: str = ""
    """A task as written; empty for all."""
    search: str = ""
    skip: int = 0
    task: str = ""
    """Whose log is shown."""
    stream: str = "out"


@frozen(kw_only=True)
class Look:
    """What is seen at one moment."""

    overview: Overview
    tasks: Sequence[TaskInfo]
    total: int
    """How many tasks are on all pages."""
    log: str
    until: float = field(eq=False)
    """The moment that is shown, in seconds since 1970."""


def look(reader: RunReader, choice: Choice, before: Overview | None) -> Look:
    """Read a run anew, as far as something has changed since ``before``.

    Raises:
        JournalError: when the journal is damaged, or a newer version wrote it.
    """
    overview = read_overview(reader) if before is None else refreshed(before)
    page = overview.tasks(
        phase=choice.phase or None,
        name=choice.name or None,
        search=choice.search or None,
        skip=choice.skip,
        most=MOST_TASKS,
    )
    until = reader.until or overview.info.ended or datetime.now(UTC)
    return Look(
        overview=overview,
        tasks=page.tasks,
        total=page.total,
        log=_log(reader, choice),
        until=until.timestamp(),
    )


def _log(reader: RunReader, choice: Choice) -> str:
    """Give the end of what the chosen task wrote, without what steers a terminal."""
    info = reader.task(choice.task) if choice.task else None
    if info is None or not info.attempts:
        return ""
    path: Path = reader.log_paths(info.id, info.attempts)[choice.stream == "err"]
    return clean(read_part(path, most=_MOST_LOG_BYTES).data.decode("utf-8", "replace"))
