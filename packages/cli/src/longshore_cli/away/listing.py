"""There: which runs have their controllers on this machine, and how they stand; read at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from longshore.errors import LongshoreError
from longshore.runtime.history import RunInfo, RunReader
from longshore.runtime.project import Project
from longshore_cli.away.orders import forget_order, is_kept, order_of, seat_of

__all__ = ["list_runs"]


def list_runs(root: Path) -> list[dict[str, Any]]:
    """List the runs that have their controllers on this machine, the newest first.

    Those that have begun have their ``state``, and how many tasks are in which of the ``phases``.
    """
    found = []
    for folder in sorted(root.glob("*/.longshore/seat/")):
        project = Project(folder.parent.parent)
        for file in folder.glob("2*.json"):
            run = file.stem
            order = order_of(project, run)
            if order is not None and "workflow" not in order and not (project.run_folder(run) / "run.db").exists():
                forget_order(project, run)  # it is over, and somebody has removed what there was of it
            elif order is not None:
                info = _info(project, run)
                seat = seat_of(project, run, order, over=info is not None and info.ended is not None)
                row = {"workflow": order["name"], "folder": str(project.folder), "kept": is_kept(project, run)}
                stands = {"state": info.state, "phases": info.phases} if info is not None else {}
                found.append(seat | row | stands)
    return sorted(found, key=lambda each: str(each["run"]), reverse=True)


def _info(project: Project, run: str) -> RunInfo | None:
    try:
        return RunReader(project.run_folder(run)).info()
    except LongshoreError:
        return None
