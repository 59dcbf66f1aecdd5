"""How `watch` begins: which run, at which moment, and whether there is what it needs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from longshore.errors import UsageError
from longshore.runtime.history import RunReader
from longshore_cli.away.forwarding import meant_seat
from longshore_cli.output import is_terminal
from longshore_cli.places import find_project

__all__ = ["reader_at", "watch"]


def watch(folder: Path | None, run: str | None, at: str | None) -> None:
    """Show a run until somebody has seen enough.

    Raises:
        UsageError: when there is no such run or moment here, no terminal, or textual is not installed.
    """
    project = find_project(folder)
    seat, _ = meant_seat(project, {"run": run})
    if seat is not None:
        raise UsageError(
            f"the controller of run {seat.run} is on {seat.machine}, and `longshore watch` shows runs that are here; "
            "`longshore status`, `top`, `explain` and `logs -f` ask there"
        )
    reader = reader_at(project.run_folder(project.find_run(run)), at)
    if not (is_terminal(sys.stdout) and sys.stdin.isatty()):
        raise UsageError("`longshore watch` needs a terminal; `longshore status` tells how a run stands")
    try:
        from longshore_cli.screen.app import Watch
    except ImportError as error:
        raise UsageError(
            f"`longshore watch` needs {error.name}; `python -m pip install 'longshore[watch]'` brings it. "
            "`longshore status` and `longshore logs -f` need nothing more"
        ) from error
    Watch(project, reader).run()


def reader_at(folder: Path, at: str | None) -> RunReader:
    """Open a run, as it is now or as it stood at a moment.

    Raises:
        UsageError: when there is no such moment in it.
    """
    reader = RunReader(folder)
    info = reader.info()
    if at is None:
        return reader
    from longshore.runtime.past import moment_of

    return RunReader(folder, until=moment_of(at, info.started, info.ended or datetime.now(UTC)))
