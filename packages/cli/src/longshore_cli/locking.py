"""Giving a run the software that an earlier one had: ``longshore run --locked RUN``."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from longshore.config.locking import exactly
from longshore.config.resolve import resolve_environments
from longshore.errors import UsageError
from longshore.model.environment import EnvironmentSpec
from longshore.model.environment_events import EnvironmentBuilt
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.output import warn

__all__ = ["locked"]


def locked(spec: WorkflowSpec, project: Project, run: str) -> WorkflowSpec:
    """Ask for the environments of a workflow as they became in a run.

    Raises:
        UsageError: when there is no such run, or it did not build such an environment.
        ConfigError: when a file of an environment cannot be read.
    """
    name = project.find_run(run)
    reader = RunReader(project.run_folder(name))
    had = {each.name: each for each in reader.replay().workflow.environments}
    built: dict[str, list[EnvironmentBuilt]] = {}
    for _, event in reader.events(kind="EnvironmentBuilt"):
        if isinstance(event, EnvironmentBuilt):
            built.setdefault(event.environment, []).append(event)
    used = {task.environment for task in spec.tasks}
    environments = tuple(
        _locked(each, had.get(each.name), built.get(each.name, ()), name) if each.name in used else each
        for each in resolve_environments(spec, project.folder)
    )
    return evolve(spec, environments=environments)


def _locked(
    asked: EnvironmentSpec, had: EnvironmentSpec | None, built: Sequence[EnvironmentBuilt], run: str
) -> EnvironmentSpec:
    if had is None or not built:
        raise UsageError(
            f"run {run} built no environment {asked.name}, so nothing says what it became; name a run that did "
            "(one in which all tasks are up to date asks for none)"
        )
    first, *others = built
    exact = exactly(asked, first)
    if had.digest not in (asked.digest, exact.digest):
        raise UsageError(
            f"run {run} had another environment {asked.name}, so its lock does not fit; take the change back, "
            "or run without --locked"
        )
    if any((each.lock, each.locks) != (first.lock, first.locks) for each in others):
        warn(f"the machines of run {run} had different versions in {asked.name}; those of the first are taken")
    return exact
