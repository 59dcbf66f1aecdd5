"""Everything that one run needs, put together: journal, lock, machines, performer, runner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.config.bulk import bulk
from longshore.config.document import from_document, to_document
from longshore.errors import RunError, UsageError
from longshore.model.events import Event, MachineGone, RetryAsked, RunContinued, TasksAdded
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.runtime.answering import Answering, as_body
from longshore.runtime.cache import Cache
from longshore.runtime.control import ControlServer
from longshore.runtime.fetching import Fetched, fetch
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal
from longshore.runtime.linking import Linking
from longshore.runtime.lock import RunLock, acquire
from longshore.runtime.logs import pack
from longshore.runtime.objects import resolve_all
from longshore.runtime.options import RunOptions
from longshore.runtime.perform import Crew
from longshore.runtime.pools import buckets_of, check, executor_of, machines_of, used_pools
from longshore.runtime.project import Project, new_run_id
from longshore.runtime.reach import Reach
from longshore.runtime.registry import Registry
from longshore.runtime.results import mark_latest
from longshore.runtime.runner import Runner
from longshore.runtime.sharing import Sharing
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.state import DONE, ENDED, RunState, TaskPhase

if TYPE_CHECKING:
    from longshore.runtime.areas import BucketArea
    from longshore.runtime.copies import JournalCopies
    from longshore.runtime.renters import Renters

__all__ = ["Engine"]

_log = logging.getLogger(__name__)

_TIDYING_SECONDS = 5.0
"""The end of a run waits no longer for what is to be done for earlier ones; the next run goes on with that."""

EventQueue = SimpleQueue[Sequence[Event] | None]


class Engine:
    """The controller of one run. Made in the caller's thread, so that mistakes are told there; driven in another."""

    def __init__(
        self, *, project: Project, run: str, options: RunOptions, state: RunState, journal: Journal, lock: RunLock
    ) -> None:
        self.project = project
        self.run = run
        self.folder = project.run_folder(run)
        self.options = options
        self.watchers: list[EventQueue] = []
        self._journal = journal
        self._lock = lock
        self._registry = Registry()
        strategy = self._registry.strategy_of(state.workflow.strategy)
        self.runner = Runner(state=state, journal=journal, strategy=strategy)
        # Before anybody can ask for something: it makes a run go on that was stopped.
        self.runner.post(RunContinued(at=datetime.now(UTC), fence=lock.fence))
        self._reach = Reach(run, state, self.runner.post)
        self._pools = used_pools(state)
        self._reach.areas = _areas(self._pools, run, project, self.runner.post)
        providers = state.workflow.providers
        self._executors = {
            pool.name: executor_of(
                self._registry, pool, project, run, providers, area=self._reach.areas.get(pool.store)
            )
            for pool in self._pools
        }

    @classmethod
    def create(cls, spec: WorkflowSpec, project: Project, options: RunOptions, run: str = "") -> Engine:
        """Check a workflow as far as that is possible without running it, and make the record of a new run.

        ``run`` is its id if that is settled already.

        Raises:
            ConfigError: when it cannot run as it is written; nothing has been made.
        """
        with bulk():
            resolved = resolve_all(spec, project.folder)
            state = check(resolved, options)
        run = run or new_run_id()
        for area in _areas(used_pools(state), run, project).values():
            area.prepare()
        try:
            folder = project.create_run(run)
        except OSError as error:
            raise RunError(f"{project.home} cannot be written: {error.strerror}; make the folder writable") from error
        lock = acquire(folder)
        meta = {
            "name": spec.name,
            "created": datetime.now(UTC).isoformat(),
            "workflow": to_document(resolved),
            "options": options.to_json(),
            "total": str(len(state.tasks)),
        }
        journal = Journal.create(folder, meta)
        return cls(project=project, run=run, options=options, state=state, journal=journal, lock=lock)

    @classmethod
    def open(cls, project: Project, run: str, *, jobs: int | None = None) -> Engine:
        """Take up a run whose controller is gone, from its journal.

        Raises:
            RunLocked: when another controller has it.
            JournalError: when its record is damaged.
        """
        folder = project.run_folder(run)
        lock = acquire(folder, above=RunReader(folder).fence())
        try:
            journal = Journal.open(folder)
            meta = journal.meta()
            with bulk():
                state = begin(from_document(meta["workflow"]))
                for event in journal.events():
                    apply(state, event)
            state.moved.clear()
            options = RunOptions.from_json(meta["options"])
            if jobs is not None:
                options = evolve(options, jobs=jobs)
            project.note_unclosed(run)
            return cls(project=project, run=run, options=options, state=state, journal=journal, lock=lock)
        except BaseException:
            lock.release()
            raise

    def drive(self) -> str:
        """Run until the run has ended; answer how. Attempts live on when this raises.

        Raises:
            LongshoreError: what stops the controller.
        """
        cache = Cache(self.project.store)
        reach = self._reach
        crew = Crew(
            project=self.project, run=self.run, options=self.options, runner=self.runner, cache=cache, reach=reach
        )
        crew.renters = self._renters(crew, reach)
        tidying = self._tidying()
        answering = Answering(self.run, self.runner, self.add, self.retry, reach.loads.listing, self.fetch)
        try:
            with ExitStack() as opened:
                crew.copies = self._copies()
                linking = Linking(self.runner, reach, self._lock.fence)
                opened.callback(lambda: linking.close(over=self.runner.state.over))
                for pool in self._pools:
                    here = pool.executor == "local"
                    machines = list(self._machines(pool))
                    for machine in machines:
                        crew.expect(machine, here=here)
                    if here:
                        machines = [self._shared(machine, reach, opened) for machine in machines]
                    linking.open(pool, self._executors[pool.name], machines)
                control = opened.enter_context(ControlServer(self.folder, answering, reach.loads.watch))
                reach.loads.tell = control.show

                def tell(events: Sequence[Event]) -> None:
                    if control.has_subscribers:
                        control.publish([as_body(event) for event in events])
                    for event in events:
                        if isinstance(event, MachineGone):
                            reach.loads.remove(event.machine)

                self.runner.listen(tell)
                self._tell_observers(opened, crew)
                if crew.renters is not None:
                    crew.renters.start()
                return self.runner.loop(crew)
        finally:
            if crew.renters is not None:
                crew.renters.close(over=self.runner.state.over)
            crew.close()
            if crew.copies is not None:
                crew.copies.close()
            mark_latest(self.project.results(self.run).parent, self.run)
            if self.runner.state.over:
                pack(self.folder)
                if self._no_uploads_left() and reach.cleared:
                    self.project.note_closed(self.run)
            self._journal.close()
            self._lock.release()
            if tidying is not None:
                tidying.join(_TIDYING_SECONDS)

    def _tell_observers(self, opened: ExitStack, crew: Crew) -> None:
        """Let observers hear what happens until what is opened is closed."""
        workflow = self.runner.state.workflow
        if workflow.observers:
            from longshore.runtime.observing import Observing, make_observers  # noqa: PLC0415  few runs have any

            made, reading = make_observers(workflow, self._registry, self.project, self.run)
            if reading:
                crew.name_inputs()
            self.runner.listen(opened.enter_context(Observing(made)).listen)

    def _no_uploads_left(self) -> bool:
        """End what was not sent whole to where the run puts its results; say whether that could be done."""
        state = self.runner.state
        if not any(each.spec.results_to for each in state.groups.values()):
            return True
        from longshore.runtime.uploads import end_uploads  # noqa: PLC0415  few runs put results into buckets

        left = list(end_uploads(self.project, self.run, state, datetime.now(UTC)))
        for each in left:
            _log.warning("something of run %s is left: %s", self.run, each)
        return not left

    def _tidying(self) -> Thread | None:
        """Begin to tidy up after runs whose controllers could not."""
        others = self.project.unclosed(but=self.run)
        if not others:
            return None
        from longshore.runtime.tidying import tidy_meanwhile  # noqa: PLC0415  most controllers live to their end

        return tidy_meanwhile(self.project, others)

    def retry(self, names: Sequence[str]) -> None:
        """Give these tasks, or all that ended badly, another chance."""
        chosen = list(names) or [
            name for name, task in self.runner.state.tasks.items() if task.phase in ENDED - DONE - {TaskPhase.SKIPPED}
        ]
        self.runner.post(RetryAsked(at=datetime.now(UTC), tasks=tuple(chosen)))

    def add(self, spec: WorkflowSpec) -> None:
        """Let more tasks join.

        Raises:
            UsageError: when a name is taken.
            ConfigError: when they cannot run.
        """
        taken = [task.name for task in spec.tasks if task.name in self.runner.state.groups]
        if taken:
            raise UsageError(f"run {self.run} has a task {taken[0]!r} already; give the new one another name")
        resolved = resolve_all(spec, self.project.folder)
        known = {each.name: each for each in self.runner.state.workflow.environments}
        other = [each.name for each in resolved.environments if each.digest != known.get(each.name, each).digest]
        if other:
            raise UsageError(
                f"run {self.run} has an environment {other[0]!r} with another content; give the new one another name"
            )
        fresh = tuple(each for each in resolved.environments if each.name not in known)
        self.runner.post(TasksAdded(at=datetime.now(UTC), tasks=resolved.tasks, environments=fresh))

    def fetch(self, to: Path, names: Sequence[str]) -> Fetched:
        """Copy the outputs of tasks that have succeeded, all or these, into a folder, from machines too."""
        return fetch(self.runner.state, self.project.store, to, names, self._reach.bring_home)

    def _renters(self, crew: Crew, reach: Reach) -> Renters | None:
        if not self.runner.state.rented:
            return None
        # Most runs rent nothing, and need not wait for what renting takes.
        from longshore.runtime.hosting import RunHost  # noqa: PLC0415  as above
        from longshore.runtime.renters import Renters  # noqa: PLC0415  as above

        # Machines that are rented have stores of their own; that is to be known before anything is identified.
        for pool in self.runner.state.rented:
            crew.expect(Machine(id=pool, pool=pool, resources=Resources(cpus=0.0)))
        return Renters(
            run=self.run,
            state=self.runner.state,
            executors=self._executors,
            registry=self._registry,
            options=self.options,
            fence=self._lock.fence,
            host=RunHost(self.runner, reach),
        )

    def _copies(self) -> JournalCopies | None:
        """Begin to copy the journal, if that is wanted and there is a bucket.

        Raises:
            FenceRefused: when another computer has taken the run over.
        """
        url = next(iter(buckets_of(self.runner.state.workflow.pools)), "") if self.options.copied else ""
        if not url:
            return None
        from longshore.runtime.copies import JournalCopies  # noqa: PLC0415  as above
        from longshore.runtime.stores import Stores  # noqa: PLC0415  as above

        copies = JournalCopies(
            self.folder / "run.db",
            f"{url}/{self.run}",
            self._lock.fence,
            fail=self.runner.fail,
            stores=Stores(self._registry),
        )
        copies.begin()
        return copies

    def _machines(self, pool: PoolSpec) -> Sequence[Machine]:
        return machines_of(self._registry, pool, self.options)

    def _shared(self, machine: Machine, reach: Reach, opened: ExitStack) -> Machine:
        """Join the other runs on this computer, and give the machine with this run's part of it."""
        part = opened.enter_context(Sharing(machine, self.runner.state, self.runner.post))
        reach.shared[machine.id] = part
        return part.machine()


def _areas(
    pools: Sequence[PoolSpec], run: str, project: Project, post: Callable[..., None] | None = None
) -> Mapping[str, BucketArea]:
    if not any(pool.store for pool in pools):
        return {}
    from longshore.runtime.areas import areas_of  # noqa: PLC0415  few runs have any, and all wait for imports

    return areas_of(pools, run, project.store, post)
