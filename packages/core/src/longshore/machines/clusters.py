"""Clusters that pools name: what runs would make there, what they have there, and its removal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import field, frozen

from longshore.config.renting import read_renting
from longshore.errors import LongshoreError, MachineUnreachable, UsageError
from longshore.machines.hosts import make_executor
from longshore.model.attempt import attempt_id
from longshore.plugin.hosts import Enters, PodInfo, Pods
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
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
def _executors(folder: Path, words: Collection[str]) -> Iterator[dict[str, Pods]]:
    """Give the executors of pools on clusters: of those that are named, else of all.

    Raises:
        UsageError: when a word names no such pool.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-cluster-") as aside:
        registry = Registry()
        found: dict[str, Pods] = {}
        for pool in read_renting(folder).pools.values():
            if pool.rented is not None:
                continue  # what is on a rented cluster ends with it; `longshore clusters kubeconfig` leads there
            executor = make_executor(registry, pool, folder, Path(aside))
            if isinstance(executor, Pods):
                found[pool.name] = executor
        for word in words:
            if word not in found:
                there = f"there are: {', '.join(found)}" if found else "no pool is on one"
                raise UsageError(f"there is no pool {word!r} on a cluster; {there}")
        yield {name: executor for name, executor in found.items() if not words or name in words}


def cluster_pools(words: Collection[str] = (), *, folder: Path | str = ".") -> list[str]:
    """Name the pools that are on clusters; the errors are those of `manifest`."""
    with _executors(Path(folder), words) as executors:
        return list(executors)


def manifest(words: Collection[str] = (), *, folder: Path | str = ".") -> str:
    """Write what runs would make on clusters, as YAML for review. No cluster is asked.

    Raises:
        UsageError: when a word names no pool on a cluster.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
        ExecutorError: when its options contradict each other.
    """
    with _executors(Path(folder), words) as executors:
        return "---\n".join(executor.manifest() for executor in executors.values())


def pods(words: Collection[str] = (), *, folder: Path | str = ".") -> list[tuple[str, PodInfo]]:
    """List the pods of all runs, each with the pool through which it is seen; those that two pools see once.

    Raises:
        MachineUnreachable: when a cluster does not answer.
        ExecutorError: when we may not ask it.
    """
    with _executors(Path(folder), words) as executors:
        found = {pod.name: (name, pod) for name, executor in executors.items() for pod in executor.pods()}
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
    with _executors(place, words) as executors:
        for name, executor in executors.items():
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
        spec = read_renting(place).pools.get(pool)
        executor = (
            None if spec is None or spec.rented is not None else make_executor(Registry(), spec, place, Path(aside))
        )
        if not isinstance(executor, Enters):
            raise UsageError(f"{attempt} runs on {machine} of pool {pool}, whose executor lets nobody in")
        try:
            return executor.enter(machine, attempt, words, feed=feed, tell=tell)
        except MachineUnreachable as error:
            raise MachineUnreachable(f"{attempt} cannot be entered: {error}") from error
