"""Clusters that pools name: what runs would make there, what they have there, and its removal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import field, frozen

from longshore.config.renting import Renting, read_renting
from longshore.errors import LongshoreError, MachineUnreachable, UsageError
from longshore.machines.hosts import make_executor
from longshore.model.attempt import attempt_id
from longshore.model.machine import MachineState
from longshore.model.machine_spec import Tag
from longshore.model.workflow import PoolSpec
from longshore.plugin.clusters import Kubernetes
from longshore.plugin.hosts import Enters, PodInfo, Pods
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry
from longshore.scheduler.state import TaskPhase

__all__ = ["Swept", "cluster_pools", "enter", "manifest", "pods", "running_attempt", "sweep_clusters"]


@frozen(kw_only=True)
class Swept:
    """What a run had on a cluster, and what becomes of it."""

    pool: str
    run: str
    whose: str
    """``ended`` and ``unknown`` (of another project or computer) may be removed; ``running`` and ``resumable`` not."""
    removed: bool = False
    error: LongshoreError | None = field(default=None, eq=False)


@contextmanager
def _executors(folder: Path, words: Collection[str], *, rented: bool = False) -> Iterator[Sequence[tuple[str, Pods]]]:
    """Give the executors of pools on clusters, with the pools' names: of those that are named, else of all. With
    ``rented`` there is one for each cluster too that is rented for a pool and runs; their clouds are asked for them.

    Raises:
        UsageError: when a word names no such pool.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
        ProviderError: when a cloud does not say what is rented.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-cluster-") as aside:
        registry, renting = Registry(), read_renting(folder)
        there: dict[str, Pods] = {}
        for pool in renting.pools.values():
            executor = make_executor(registry, pool, folder, Path(aside)) if rented or pool.rented is None else None
            if isinstance(executor, Pods):
                there[pool.name] = executor
        for word in words:
            if word not in there:
                names = f"there are: {', '.join(there)}" if there else "no pool is on one"
                raise UsageError(f"there is no pool {word!r} on a cluster; {names}")
        found: list[tuple[str, Pods]] = []
        for name, executor in there.items():
            pool = renting.pools[name]
            if words and name not in words:
                continue
            if pool.rented is None:
                found.append((name, executor))
            else:
                found += [(name, each) for each in _on_rented(registry, renting, pool, Path(aside))]
        yield found


def _on_rented(
    registry: Registry, renting: Renting, pool: PoolSpec, aside: Path, *, machine: str = ""
) -> Iterator[Pods]:
    """Give an executor for each cluster that is rented for a pool of this project and runs, or for one of them."""
    assert pool.provider is not None
    opened = Providers(renting.providers, registry, places=renting.places).open(pool.provider)
    if not isinstance(opened.provider, Kubernetes):
        return
    for each in opened.provider.find(owner=opened.owner):
        ours = each.pool == pool.name and each.tags.get(Tag.PROJECT, "") == renting.project
        if ours and machine in {"", each.id} and each.state is MachineState.RUNNING:
            executor = make_executor(
                registry, pool, renting.folder, aside, provider=opened.provider, address=each.address
            )
            assert isinstance(executor, Pods)
            yield executor


def cluster_pools(words: Collection[str] = (), *, folder: Path | str = ".") -> list[str]:
    """Name the pools that are on clusters that are given; the errors are those of `manifest`."""
    with _executors(Path(folder), words) as executors:
        return [name for name, _ in executors]


def manifest(words: Collection[str] = (), *, folder: Path | str = ".") -> str:
    """Write what runs would make on clusters, as YAML for review. No cluster is asked.

    Raises:
        UsageError: when a word names no pool on a cluster.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
        ExecutorError: when its options contradict each other.
    """
    with _executors(Path(folder), words) as executors:
        return "---\n".join(executor.manifest() for _, executor in executors)


def pods(words: Collection[str] = (), *, folder: Path | str = ".") -> list[tuple[str, PodInfo]]:
    """List the pods of all runs, each with the pool through which it is seen; those that two pools see once. Clusters
    that are rented for this project's pools count too.

    Raises:
        MachineUnreachable: when a cluster does not answer.
        ExecutorError: when we may not ask it.
        ProviderError: when a cloud does not say which clusters there are.
    """
    with _executors(Path(folder), words, rented=True) as executors:
        found = {pod.name: (name, pod) for name, executor in executors for pod in executor.pods()}
    return sorted(found.values(), key=lambda each: (each[1].run, each[1].name))


def sweep_clusters(
    words: Collection[str] = (), *, folder: Path | str = ".", dry_run: bool = False, foreign: bool = False
) -> list[Swept]:
    """Remove what runs of this project that are over have left on clusters, and nothing else.

    ``foreign`` removes also what is of runs that this project does not know. The errors are those of `pods`; what keeps
    one run's from being removed is in its `Swept`.
    """
    place = Path(folder)
    whose = _standing(Project(place))
    swept: dict[str, Swept] = {}
    with _executors(place, words, rented=True) as executors:
        for name, executor in executors:
            for run in executor.runs():
                word = whose(run)
                found = Swept(pool=name, run=run, whose=word)
                if run not in swept and not dry_run and (word == "ended" or (word == "unknown" and foreign)):
                    found = _removed(executor, found)
                swept.setdefault(run, found)
    return list(swept.values())


def _removed(executor: Pods, found: Swept) -> Swept:
    try:
        executor.remove(found.run)
    except LongshoreError as error:
        return Swept(pool=found.pool, run=found.run, whose=found.whose, error=error)
    return Swept(pool=found.pool, run=found.run, whose=found.whose, removed=True)


def _standing(project: Project) -> Callable[[str], str]:
    known = set(project.run_ids())

    def whose(run: str) -> str:
        if run not in known:
            return "unknown"
        info = RunReader(project.run_folder(run)).info()
        return "resumable" if info.resumable else "ended" if info.ended is not None else "running"

    return whose


def running_attempt(task: str, *, folder: Path | str = ".") -> tuple[str, str, str] | None:
    """Find a task that runs in the latest run: its pool, machine and attempt id; None when there is none.

    Raises:
        JournalError: when the run's record is damaged.
    """
    project = Project(Path(folder))
    with suppress(UsageError):
        run = project.find_run(None)
        reader = RunReader(project.run_folder(run))
        found = reader.task(task)
        if found is not None and found.phase == TaskPhase.RUNNING:
            state = reader.replay()
            machine = state.machines.get(found.machine)
            if machine is not None:
                return machine.pool, found.machine, attempt_id(run, task, found.attempts)
    return None


def enter(
    pool: str,
    machine: str,
    attempt: str,
    words: Sequence[str],
    *,
    folder: Path | str = ".",
    feed: int | None = None,
    tell: Callable[[int, bytes], None],
) -> int:
    """Execute a command beside an attempt that runs; give its exit code.

    ``feed`` and ``tell`` are as in `longshore.plugin.Shell.execute`.

    Raises:
        UsageError: when its pool's executor lets nobody in.
        MachineUnreachable: when there is no way there.
        ExecutorError: when we may not.
    """
    place = Path(folder)
    with tempfile.TemporaryDirectory(prefix="longshore-enter-") as aside:
        registry, renting = Registry(), read_renting(place)
        executor: object = None
        if spec := renting.pools.get(pool):
            executor = make_executor(registry, spec, place, Path(aside))
            if spec.rented is not None and isinstance(executor, Pods):
                executor = next(_on_rented(registry, renting, spec, Path(aside), machine=machine), None)
                if executor is None:
                    raise MachineUnreachable(f"{attempt} cannot be entered: there is no cluster {machine}")
        if not isinstance(executor, Enters):
            raise UsageError(f"{attempt} runs on {machine} of pool {pool}, whose executor lets nobody in")
        try:
            return executor.enter(machine, attempt, words, feed=feed, tell=tell)
        except MachineUnreachable as error:
            raise MachineUnreachable(f"{attempt} cannot be entered: {error}") from error
