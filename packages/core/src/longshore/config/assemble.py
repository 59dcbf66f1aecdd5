"""From what was written to the finished `WorkflowSpec`, every part checked against the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from longshore.config.cycles import find_cycles
from longshore.config.env_file import read_env_file
from longshore.config.inputs import inputs_of
from longshore.config.links import Links
from longshore.config.outputs import check_outputs, check_wanted, outputs_of
from longshore.config.problems import Key, Problems
from longshore.config.project_files import ProjectFiles
from longshore.config.sketch import Draft, Sketch, read_sketch
from longshore.model.task import OutputFiles, OutputLines, TaskSpec
from longshore.model.workflow import LOCAL_POOL, PoolSpec, WorkflowSpec

__all__ = ["assemble"]

_MOST_NAMED = 3


def assemble(raw: Mapping[str, Any], user: Sketch, folder: Path, problems: Problems, adding_to: WorkflowSpec | None = None) -> WorkflowSpec:
    """Build a workflow from what was written; ``user`` has the pools and providers of all the user's projects.

    With ``adding_to`` the tasks are to join that one's run, and may refer to its tasks and pools.

    Raises:
        ConfigError: with every mistake.
    """
    sketch = read_sketch(raw, problems)
    if adding_to is not None:
        sketch.given = {task.name: task for task in adding_to.tasks}
        sketch.pools = {pool.name: pool for pool in adding_to.pools} | sketch.pools
        sketch.environments = {each.name: each for each in adding_to.environments} | sketch.environments
    _check_settings(sketch, folder, problems)
    pools = _Pools(sketch, user, problems)
    environments = _Environments(sketch, problems)
    links = Links(sketch, problems)
    linked = [(draft, links.references(draft), links.parameters(draft), links.after(draft)) for draft in sketch.drafts.values()]
    files = ProjectFiles(folder)
    tasks: list[TaskSpec] = []
    for draft, references, parameters, after in linked:
        words = draft.words
        if "outputs" in words:
            check_outputs(draft, problems)
        outputs = outputs_of(draft, links.wanted.get(draft.name, {}), problems)
        words |= {
            "inputs": inputs_of(draft, outputs, files, sketch.settings.get("env_file"), problems),
            "outputs": outputs,
            "pool": pools.choose(draft),
            "environment": environments.choose(draft),
            "after": after,
        }
        tasks.append(TaskSpec(name=draft.name, command=draft.command, references=references, for_each=parameters, **words))
    for name in sketch.given.keys() & links.wanted.keys():
        check_wanted(name, sketch.given[name].outputs, links.wanted[name], problems)
    _check_cycles(tasks, problems)
    used = pools.used()
    problems.check()
    return WorkflowSpec(
        name=sketch.name,
        tasks=tuple(tasks),
        pools=used,
        environments=tuple(sketch.environments.values()),
        providers=_providers(used, sketch, user),
        **sketch.settings,
    )


def _check_settings(sketch: Sketch, folder: Path, problems: Problems) -> None:
    name = sketch.settings.get("env_file")
    if name is not None:
        try:
            read_env_file(folder / name)
        except ValueError as error:
            problems.take(("env_file",), error)


def _check_cycles(tasks: Sequence[TaskSpec], problems: Problems) -> None:
    waits: dict[str, list[str]] = {}
    for task in tasks:
        read = [reference.task for reference in task.references if not reference.workflow]
        for parameter in task.for_each:
            if isinstance(parameter.source, OutputLines | OutputFiles) and not parameter.source.reference.workflow:
                read.append(parameter.source.reference.task)
        waits[task.name] = [*dict.fromkeys([*read, *task.after])]
    for circle in find_cycles(waits):
        arrows = " -> ".join(circle)
        message = f"the task waits for itself: {arrows}" if len(circle) == 2 else f"these tasks wait for each other: {arrows}"
        problems.add(("tasks", circle[0]), message, "take out one of these references, or split a task in two")


@define
class _Pools:
    """Says which pool each task goes to, and which of the user's own pools are wanted."""

    sketch: Sketch
    user: Sketch
    problems: Problems
    _wanted: dict[str, None] = field(factory=dict, init=False)
    _homeless: list[str] = field(factory=list, init=False)
    _default: str | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        own = self.sketch.pools
        usual = [name for name in ("default", LOCAL_POOL) if name in own]
        if len(own) == 1:
            self._default = next(iter(own))
        elif own:
            self._default = usual[0] if usual else None
        else:
            # A pool that costs money is never chosen only because it stands in the user's own file.
            self._default = "default" if "default" in self.user.pools else LOCAL_POOL

    def choose(self, draft: Draft) -> str | None:
        """Name a task's pool, its own or the default; note names that do not exist."""
        name: str | None = draft.words.get("pool", self._default)
        if name is None:
            self._homeless.append(draft.name)
        elif name not in self.sketch.pools:
            if name not in self.user.pools and name != LOCAL_POOL:
                among = {*self.sketch.pools, *self.user.pools, LOCAL_POOL}
                key = ("tasks", draft.name, "pool")
                self.problems.add(key, f"there is no pool {name!r}", f"write it as [pools.{name}]", misspelt=name, among=among)
            self._wanted[name] = None
        return name

    def used(self) -> tuple[PoolSpec, ...]:
        """List the pools of the workflow: its own, and those of the user that tasks name."""
        if self._homeless:
            names = ", ".join(self._homeless[:_MOST_NAMED]) + (", ..." if len(self._homeless) > _MOST_NAMED else "")
            message = f"there are several pools ({', '.join(self.sketch.pools)}), and these tasks say not which they go to: {names}"
            remedy = 'write pool = "..." in each of them, or call one of the pools "default"'
            self.problems.add(("tasks", self._homeless[0]), message, remedy)
        others = [self.user.pools.get(name) or PoolSpec(name=name) for name in self._wanted]
        return (*self.sketch.pools.values(), *others) or (PoolSpec(name=LOCAL_POOL),)


@define
class _Environments:
    """Says which environment each task needs."""

    sketch: Sketch
    problems: Problems

    def choose(self, draft: Draft) -> str | None:
        """Name a task's environment: its own, or the only one there is."""
        known = self.sketch.environments
        name: str | None = draft.words.get("environment", next(iter(known)) if len(known) == 1 else None)
        if name is not None and name not in known:
            key: Key = ("tasks", draft.name, "environment")
            remedy = f"write it as [environments.{name}]"
            self.problems.add(key, f"there is no environment {name!r}", remedy, misspelt=name, among=known)
        return name


def _providers(pools: Sequence[PoolSpec], sketch: Sketch, user: Sketch) -> dict[str, dict[str, Any]]:
    """Give the project's providers, and of the user's those that a pool rents from; the project's win."""
    wanted = {pool.provider for pool in pools}
    return {name: options for name, options in user.providers.items() if name in wanted} | sketch.providers
