"""How commands finish what controllers that were killed have left undone."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.runtime.project import Project
from longshore.runtime.tidying import tidy_all
from longshore_cli.output import warn

__all__ = ["tidy_up"]


def tidy_up(project: Project, runs: Sequence[str]) -> None:
    """Tidy up after some runs, and say where that cannot be done now."""
    for run, left in tidy_all(project, runs):
        warn(f"something of run {run} is left, and is removed when that can be: {left}")
