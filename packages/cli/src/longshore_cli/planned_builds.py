"""What `plan` says of the environments that a run would ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from longshore.config.resolve import resolve_environments
from longshore.model.environment import EnvironmentSpec
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.installed import is_built
from longshore_cli.text import clean

__all__ = ["PlannedBuild", "build_lines", "parts_of", "planned_builds"]


@frozen
class PlannedBuild:
    """An environment that tasks of some pools need."""

    name: str
    pools: tuple[str, ...]
    parts: tuple[str, ...]
    """What it is made of, in order."""
    here: bool | None
    """Whether it is on this computer; None when no task that needs it would run here."""


def planned_builds(spec: WorkflowSpec, folder: Path, running: Collection[tuple[str, str]]) -> list[PlannedBuild]:
    """Say what would be asked for, for the tasks that would run: by name as written, and pool.

    Raises:
        ConfigError: when a file of an environment cannot be read.
    """
    needs = {task.name: task.environment for task in spec.tasks}
    local = {pool.name for pool in spec.pools if pool.executor == "local"}
    found: list[PlannedBuild] = []
    for each in resolve_environments(spec, folder):
        pools = tuple(sorted({pool for task, pool in running if needs.get(task) == each.name}))
        if pools:
            here = is_built(each) if local.intersection(pools) else None
            found.append(PlannedBuild(each.name, pools, parts_of(each), here))
    return found


def parts_of(spec: EnvironmentSpec) -> tuple[str, ...]:
    """Name the parts of an environment, in the order in which they are built."""
    parts = {
        "image": spec.image,
        "before": spec.before,
        "apt": spec.apt,
        "conda": spec.has_conda,
        "pip": spec.has_python,
        "julia": spec.julia or spec.julia_files,
        "after": spec.after,
    }
    return tuple(name for name, there in parts.items() if there)


def build_lines(builds: Sequence[PlannedBuild]) -> Iterator[str]:
    """Tell it in a line each."""
    for each in builds:
        parts = f" ({', '.join(each.parts)})" if each.parts else ""
        where = f"would be asked for on each machine of {' and '.join(map(clean, each.pools))} that is given a task"
        if each.here is not None:
            where = "is on this computer already" if each.here else "would be built on this computer"
        yield f"environment {clean(each.name)}{parts} {where}"
