"""Parts of results that did not get into a bucket as a whole, removed when nobody will take them up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from longshore.errors import LongshoreError
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore.scheduler.state import RunState

__all__ = ["end_uploads", "targets_of"]

_SKEW = timedelta(minutes=15)
"""With clocks that differ by more, S3 answers nobody."""


def targets_of(state: RunState) -> set[str]:
    """Give the URLs at or below which a run puts results."""
    return {f"{each.spec.results_to}/{name}" for name, each in state.groups.items() if each.spec.results_to}


def end_uploads(project: Project, run: str, state: RunState, begun_before: datetime) -> Iterator[str]:
    """End what a run, or one before it, began to send to where it puts its results, and has not sent whole; say in
    words where that cannot be done.

    Buckets do not say who has begun an upload. It is ours by its URL, and by its time; and where another run of the
    project may still take it up, it is left to that.
    """
    targets = targets_of(state)
    if not targets:
        return
    try:
        others = _targets_of_others(project, run)
    except LongshoreError as error:
        yield f"parts of uploads, while nobody knows who else may take them up: {error}"
        return
    stores = Stores()
    for target in sorted(targets):
        if any(f"{other}/".startswith(f"{target}/") for other in others):
            continue
        try:
            stores.abandon(target, begun_before + _SKEW)
        except LongshoreError as error:
            yield f"parts of uploads to {target}: {error}"


def _targets_of_others(project: Project, run: str) -> set[str]:
    """Give the targets of runs that go on, or can."""
    found: set[str] = set()
    for other in project.unclosed(but=run):
        reader = RunReader(project.run_folder(other))
        if not (reader.folder / "run.db").exists():
            continue
        info = reader.info()
        if info.ended is None or info.resumable:
            found |= targets_of(reader.replay())
    return found
