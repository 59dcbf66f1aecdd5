"""What is to be done when a run has ended, done by whoever comes next when its controller was killed before that."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from longshore.errors import LongshoreError, RunLocked
from longshore.model.machine import Machine
from longshore.model.workflow import PoolSpec
from longshore.plugin.abilities import Clears
from longshore.plugin.protocols import Executor
from longshore.runtime.areas import areas_of
from longshore.runtime.cache import Cache
from longshore.runtime.history import RunReader
from longshore.runtime.lock import RunLock, acquire
from longshore.runtime.logs import pack
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import executor_of, machines_of, used_pools
from longshore.runtime.project import Project
from longshore.runtime.registry import Registry
from longshore.runtime.results import mark_latest
from longshore.runtime.uploads import end_uploads
from longshore.scheduler.state import RunState

__all__ = ["tidy", "tidy_all", "tidy_meanwhile"]

_log = logging.getLogger(__name__)

_HOPELESS = timedelta(days=14)
"""Hosts that do not answer for so long are not tried any more, and what was sent in part is not kept."""


def tidy_meanwhile(project: Project, runs: Sequence[str]) -> threading.Thread:
    """Tidy up after some runs in a thread of its own, which ends with the process; hosts may take long to answer."""

    def work() -> None:
        for run, left in tidy_all(project, runs):
            _log.info("run %s is not tidied up after: %s", run, left)

    thread = threading.Thread(target=work, name="longshore-tidying", daemon=True)
    thread.start()
    return thread


def tidy_all(project: Project, runs: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Tidy up after some runs, as each is asked for; give those after which something is left, and what that is."""
    for run in runs:
        try:
            left = tidy(project, run)
        except LongshoreError as error:
            left = str(error)
        if left:
            yield run, left


def tidy(project: Project, run: str) -> str:
    """Finish what the end of a run has left undone; say what still is, empty for nothing.

    A run that somebody controls is left alone, and so is one that can be continued; but parts of its results that are
    in buckets for 14 days are given up. Else what is done: its results are the
    latest if no later run has any, its logs are packed, nothing of it is kept in the cache for its sake, and nothing of
    it is left on hosts and in buckets but results that got there as a whole.

    Raises:
        JournalError: when the run's record is damaged.
    """
    reader = RunReader(project.run_folder(run))
    if not (reader.folder / "run.db").exists():
        project.note_closed(run)
        return ""
    info = reader.info()
    stale = datetime.now(UTC) - _HOPELESS
    if info.state == "running" or (info.resumable and info.started > stale):
        return ""
    try:
        lock = acquire(reader.folder, above=reader.fence())
    except RunLocked:
        return ""
    with lock:
        if info.ended is None or info.resumable:
            return "; ".join(end_uploads(project, run, reader.replay(), stale))
        results = project.results(run).parent
        latest = results / "latest"
        if not latest.exists() or latest.resolve().name < run:
            mark_latest(results, run)
        pack(reader.folder)
        cache = Cache(project.store)
        cache.unpin(run)
        cache.close()
        state = reader.replay()
        left = [*_clear(project, reader, state, lock), *end_uploads(project, run, state, info.ended)]
    if not left or info.ended < stale:
        project.note_closed(run)
    return "; ".join(left)


def _clear(project: Project, reader: RunReader, state: RunState, lock: RunLock) -> Iterator[str]:
    """Remove what a run has left on its hosts and in its pools' buckets; say in words where that cannot be done."""
    registry = Registry()
    options = RunOptions.from_json(reader.meta()["options"])
    pools = used_pools(state)
    for area in areas_of(pools, reader.folder.name, project.store).values():
        try:
            area.clear()
        except LongshoreError as error:
            yield f"{area.url}: {error}"
    for pool in pools:
        if pool.rented is not None or pool.executor == "local":
            continue
        if not any(each.pool == pool.name for each in state.machines.values()):
            continue
        try:
            executor = executor_of(registry, pool, project, reader.folder.name)
            machines = [each for each in machines_of(registry, pool, options) if each.id in state.machines]
        except LongshoreError as error:
            yield f"pool {pool.name}: {error}"
            continue
        for machine in machines:
            yield from _clear_machine(pool, executor, machine, lock)


def _clear_machine(pool: PoolSpec, executor: Executor, machine: Machine, lock: RunLock) -> Iterator[str]:
    try:
        session = executor.open(machine, fence=lock.fence, sink=_deaf)
        with suppress(LongshoreError):
            if isinstance(session, Clears):
                session.clear()
        session.close()
    except LongshoreError as error:
        yield f"{machine.id} of pool {pool.name}: {error}"


def _deaf(*_: object) -> None:
    return
