"""From what was written to the finished `WorkflowSpec`, every part checked against the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, field

from longshore.config.collecting import completed
from longshore.config.cycles import find_cycles
from longshore.config.inputs import Inputs
from longshore.config.links import Linked, Links, source_references, speaks_of_others
from longshore.config.outputs import check_outputs, check_wanted, outputs_of
from longshore.config.problems import Key, Problems
from longshore.config.project_files import ProjectFiles
from longshore.config.sketch import Draft, Sketch, read_sketch
from longshore.model.command import Call
from longshore.model.task import TaskSpec
from longshore.model.workflow import LOCAL_POOL, PoolSpec, WorkflowSpec

if TYPE_CHECKING:
    from longshore.model.environment import EnvironmentSpec

__all__ = ["assemble"]

_MOST_NAMED = 3


def assemble(
    raw: Mapping[str, Any], user: Sketch, folder: Path, problems: Problems, adding_to: WorkflowSpec | None = None
) -> WorkflowSpec:
    """Build a workflow from what was written; ``user`` has the pools and providers of all the user's projects.

    With ``adding_to`` the tasks are to join that one's run, and may refer to its tasks and pools.

    Raises:
        ConfigError: with every mistake.
    """
    sketch = read_sketch(raw, problems)
    if adding_to is not None:
        _join(sketch, adding_to)
    _check_settings(sketch, folder, problems)
    pools = _Pools(sketch, user, problems)
    environments = _Environments(sketch, user, problems)
    links = Links(sketch, problems)
    # Most of 100,000 tasks say nothing of others; those that do must all be read before anybody's outputs are known.
    linked = {name: links.of(draft) for name, draft in sketch.drafts.items() if speaks_of_others(draft)}
    files = Inputs(ProjectFiles(folder), sketch.settings.get("env_file"), pools.is_here, problems)
    tasks: list[TaskSpec] = []
    for name, draft in sketch.drafts.items():
        words = draft.words
        if "outputs" in words or name in links.wanted:
            words["outputs"] = outputs_of(draft, links.wanted.get(name, {}), problems)
            check_outputs(draft, problems)
        if "collect" in words:
            _complete_collect(draft, problems)
        words["pool"] = pool = pools.choose(draft)
        words["environment"] = environments.choose(draft)
        inputs = files.of(draft, words.get("outputs", ()), pool)
        if inputs:
            words["inputs"] = inputs
        if name in linked:
            words.update(linked[name])
        tasks.append(TaskSpec(name=name, command=draft.command, **words))
    for name in sketch.given.keys() & links.wanted.keys():
        check_wanted(name, sketch.given[name].outputs, links.wanted[name], problems)
    _check_cycles(linked, problems)
    used = pools.used()
    problems.check()
    return WorkflowSpec(
        name=sketch.name,
        tasks=tuple(tasks),
        pools=used,
        environments=environments.used(),
        providers=_providers(used, sketch, user),
        observers=user.observers | sketch.observers,
        **sketch.settings,
    )


def _complete_collect(draft: Draft, problems: Problems) -> None:
    words = draft.words
    is_call = isinstance(draft.command, Call)
    try:
        words["collect"] = completed(words["collect"], words.get("outputs", ()), is_call=is_call, expands=draft.expands)
    except ValueError as error:
        problems.take(("tasks", draft.name, "collect"), error)


def _join(sketch: Sketch, run: WorkflowSpec) -> None:
    """Let tasks refer to what the run that they are to join has."""
    sketch.given = {task.name: task for task in run.tasks}
    sketch.pools = {pool.name: pool for pool in run.pools} | sketch.pools
    sketch.environments = {each.name: each for each in run.environments} | sketch.environments


def _check_settings(sketch: Sketch, folder: Path, problems: Problems) -> None:
    name = sketch.settings.get("env_file")
    if name is not None:
        from longshore.config.env_file import read_env_file  # noqa: PLC0415 - few have one

        try:
            read_env_file(folder / name)
        except ValueError as error:
            problems.take(("env_file",), error)


def _check_cycles(linked: Mapping[str, Linked], problems: Problems) -> None:
    waits: dict[str, Iterable[str]] = {}
    for name, links in linked.items():
        references = [*links["references"], *source_references(links["for_each"])]
        read = [reference.task for reference in references if not reference.workflow]
        waits[name] = dict.fromkeys([*read, *links["after"]])
    for circle in find_cycles(waits):
        arrows = " -> ".join(circle)
        message = (
            f"the task waits for itself: {arrows}" if len(circle) == 2 else f"these tasks wait for each other: {arrows}"
        )
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
                self.problems.add(
                    key, f"there is no pool {name!r}", f"write it as [pools.{name}]", misspelt=name, among=among
                )
            self._wanted[name] = None
        return name

    def is_here(self, name: str | None) -> bool:
        """Say whether a pool is this computer."""
        pool = self.sketch.pools.get(name or "") or self.user.pools.get(name or "")
        return pool is None or pool.executor == LOCAL_POOL

    def used(self) -> tuple[PoolSpec, ...]:
        """List the pools of the workflow: its own, and those of the user that tasks name."""
        if self._homeless:
            names = ", ".join(self._homeless[:_MOST_NAMED]) + (", ..." if len(self._homeless) > _MOST_NAMED else "")
            pools = ", ".join(self.sketch.pools)
            message = f"there are several pools ({pools}), and these tasks say not which they go to: {names}"
            remedy = 'write pool = "..." in each of them, or call one of the pools "default"'
            self.problems.add(("tasks", self._homeless[0]), message, remedy)
        others = [self.user.pools.get(name) or PoolSpec(name=name) for name in self._wanted]
        return (*self.sketch.pools.values(), *others) or (PoolSpec(name=LOCAL_POOL),)


@define
class _Environments:
    """Says which environment each task needs."""

    sketch: Sketch
    user: Sketch
    problems: Problems
    _default: str | None = field(init=False)
    _wanted: dict[str, None] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        known = self.sketch.environments
        self._default = next(iter(known)) if len(known) == 1 else None

    def choose(self, draft: Draft) -> str | None:
        """Name a task's environment: its own, or the only one there is."""
        known = self.sketch.environments
        name: str | None = draft.words.get("environment", self._default)
        if name is not None and name not in known:
            if name not in self.user.environments:
                key: Key = ("tasks", draft.name, "environment")
                among = {*known, *self.user.environments}
                remedy = f"write it as [environments.{name}]"
                self.problems.add(key, f"there is no environment {name!r}", remedy, misspelt=name, among=among)
            self._wanted[name] = None
        spec = known.get(name or "") or self.user.environments.get(name or "")
        if spec is not None and spec.image and isinstance(draft.command, Call):
            message = f"the environment {name!r} is an image, into which Python calls do not go"
            self.problems.add(("tasks", draft.name, "call"), message, "write a command, or name another environment")
        return name

    def used(self) -> tuple[EnvironmentSpec, ...]:
        """List the environments of the workflow: its own, and those of the user that tasks name."""
        theirs = self.user.environments
        return (*self.sketch.environments.values(), *(theirs[name] for name in self._wanted if name in theirs))


def _providers(pools: Sequence[PoolSpec], sketch: Sketch, user: Sketch) -> dict[str, dict[str, Any]]:
    """Give the project's providers, and of the user's those that a pool rents from; the project's win."""
    wanted = {pool.provider for pool in pools}
    return {name: options for name, options in user.providers.items() if name in wanted} | sketch.providers
