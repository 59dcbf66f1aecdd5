"""Which runs were made as repetitions of each other."""

from __future__ import annotations

from longshore.runtime.history import RunReader
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project

__all__ = ["repetitions"]


def repetitions(project: Project, run: str) -> list[RunReader]:
    """Give the runs that were made as repetitions together with this one, the oldest first; else this one alone."""
    group = _group(project, run)
    if not group:
        return [RunReader(project.run_folder(run))]
    # Their ids sort by when they began, and none of them began before the group had its name.
    names = sorted(name for name in project.run_ids() if name >= group)
    return [RunReader(project.run_folder(name)) for name in names if _group(project, name) == group]


def _group(project: Project, run: str) -> str:
    return RunOptions.from_json(RunReader(project.run_folder(run)).meta()["options"]).group
