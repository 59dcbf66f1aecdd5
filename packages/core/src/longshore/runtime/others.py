"""Reading what another workflow of the project wrote: ``workflow://other/task/path``.

The latest successful run of that workflow is meant; when its newest run is still going on, that one is waited for
first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence

from longshore.errors import InputMissing
from longshore.model.artifact import Artifact
from longshore.model.task import Reference
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.scheduler.graph import matching
from longshore.scheduler.state import DONE, GroupState, RunState

__all__ = ["Others"]


class Others:
    """What the other workflows of a project have written. Any thread may ask."""

    def __init__(self, project: Project, *, wait: bool = True) -> None:
        """With ``wait`` a run that is going on is waited for; else the latest that has succeeded will do."""
        self._project = project
        self._wait = wait
        self._known: dict[str, tuple[str, RunState]] = {}

    def __call__(self, reference: Reference) -> Mapping[str, Sequence[Artifact]]:
        """Give what a task wrote, by member; the member of a task that stands alone is empty.

        Blocks while the other workflow runs, without using the processor.

        Raises:
            InputMissing: when no run of that workflow has succeeded, or it has no such task or member.
        """
        if reference.workflow not in self._known:
            self._known[reference.workflow] = self._latest(reference.workflow)
        run, state = self._known[reference.workflow]
        group = state.groups.get(reference.task)
        if group is None:
            names = ", ".join(sorted(state.groups)[:10])
            raise InputMissing(f"{reference}: run {run} has no task {reference.task!r}; it has {names}")
        if group.spec.collect is not None and reference.path == group.spec.collect.into:
            return {"": group.table}
        return {
            member: state.tasks[task].outputs
            for member, task in _members(group, reference).items()
            if state.tasks[task].phase in DONE
        }

    def _latest(self, workflow: str) -> tuple[str, RunState]:
        newest = True
        for run in self._project.run_ids():
            reader = RunReader(self._project.run_folder(run))
            info = reader.info()
            if info.workflow != workflow:
                continue
            if newest and info.state == "running" and self._wait:
                _wait_for_controller(self._project, run)
                info = reader.info()
            newest = False
            if info.state == "succeeded":
                return run, reader.replay()
        raise InputMissing(f"workflow {workflow!r} has no successful run in this project; run it first")


def _members(group: GroupState, reference: Reference) -> dict[str, str]:
    if not group.spec.expands:
        return dict(group.members)
    pattern = reference.path.partition("/")[0]
    found = matching(group.members, pattern)
    if found is not None and not found:
        raise InputMissing(f"{reference}: {reference.task} has no member {pattern!r}")
    return dict(group.members) if found is None else {member: group.members[member] for member in found}


def _wait_for_controller(project: Project, run: str) -> None:
    """Wait until the controller of a run lets go of its lock, which the kernel does for it if it dies."""
    descriptor = os.open(project.run_folder(run) / "controller", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
