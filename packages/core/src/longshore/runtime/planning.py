"""What a run would do, found out without doing any of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from attrs import frozen

from longshore.config.bulk import bulk
from longshore.model.events import InputsFailed, TasksIdentified
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.cache import Cache
from longshore.runtime.identify import Identifier
from longshore.runtime.inputs import Inputs
from longshore.runtime.objects import Objects, resolve_all
from longshore.runtime.options import RunOptions
from longshore.runtime.others import Others
from longshore.runtime.pools import check
from longshore.runtime.project import Project
from longshore.scheduler.apply import apply
from longshore.scheduler.collecting import is_finished
from longshore.scheduler.state import RunState, TaskPhase, TaskState

__all__ = ["Planned", "find_up_to_date", "plan"]

_CHUNK = 500


@frozen(kw_only=True)
class Planned:
    """What would become of one task."""

    task: str
    pool: str
    runs: bool
    """Whether it would run; of a task that waits for others that run, this is yes unless their outputs turn out the
    same.
    """
    reason: str
    inputs: tuple[str, ...]
    """Paths in its workdir, with those that other tasks have yet to write as references."""


def plan(spec: WorkflowSpec, folder: Path, options: RunOptions | None = None) -> Iterator[Planned]:
    """Say for each task, in the order of the workflow, whether it would run and why.

    Raises:
        ConfigError: when the workflow cannot run as it is written.
    """
    chosen = options or RunOptions()
    project = Project(folder)
    with bulk():
        state = check(resolve_all(spec, folder), chosen)
    with bulk():
        reasons, inputs = _look(state, project, chosen)
    for name, task in state.tasks.items():
        references = task.task.spec.references
        yield Planned(
            task=name,
            pool=task.pool,
            runs=task.phase is TaskPhase.WAITING,
            reason=reasons.get(name) or _waits(state, task),
            inputs=inputs.get(name) or (tuple(dict.fromkeys(map(str, references))) if references else ()),
        )


def find_up_to_date(state: RunState, project: Project, options: RunOptions) -> frozenset[str]:
    """Name the tasks of a run that is about to begin which need not run; the state knows of them then."""
    _look(state, project, options)
    return frozenset(name for name, task in state.tasks.items() if task.phase is TaskPhase.UP_TO_DATE)


def _look(state: RunState, project: Project, options: RunOptions) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Identify whatever can be identified without running anything, letting the state know of what is up to date."""
    cache = Cache(project.store)
    looked = Inputs(project, state, Others(project, wait=False), Objects(project.store, cache))
    try:
        return _identify(state, Identifier(looked, cache, options, state))
    finally:
        looked.close()
        cache.close()


def _identify(state: RunState, identifier: Identifier) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    reasons: dict[str, str] = {}
    inputs: dict[str, tuple[str, ...]] = {}
    now = datetime.now(UTC)
    while state.unidentified:
        findings = identifier.look(list(islice(state.unidentified, _CHUNK)))
        for item in findings.items:
            if item.outputs is None:
                reasons[item.task] = item.reason or "it has never succeeded"
            else:
                reasons[item.task] = f"up to date since run {item.source}"
        for name, ready in findings.ready.items():
            if ready.items:
                inputs[name] = tuple(item.path for item in ready.items)
        for name, why in findings.missing.items():
            reasons[name] = why
            apply(state, InputsFailed(at=now, task=name, reason=why))
        apply(state, TasksIdentified(at=now, items=findings.items))
    return reasons, inputs


def _waits(state: RunState, task: TaskState) -> str:
    if task.phase is TaskPhase.SKIPPED:
        return "something that it reads cannot be had"
    read = {reference.task for reference in task.task.spec.references if not reference.workflow} | set(
        task.task.spec.after
    )
    waiting = sorted(name for name in read if name in state.groups and not is_finished(state, state.groups[name]))
    return f"after {', '.join(waiting)}" if waiting else "its members are known when it begins"
