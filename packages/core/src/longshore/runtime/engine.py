"""Everything that one run needs, put together: journal, lock, machines, performer, runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.config.bulk import bulk
from longshore.config.document import from_document, to_document
from longshore.errors import ConfigError, Problem, RunError, UsageError
from longshore.model.events import Event, MachineGone, RetryAsked, RunContinued, TasksAdded
from longshore.model.machine import Machine
from longshore.model.names import near
from longshore.model.resources import Resources
from longshore.model.task import UrlInput
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.plugin.protocols import Executor, ExecutorContext
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
from longshore.runtime.project import Project, new_run_id
from longshore.runtime.reach import Reach
from longshore.runtime.registry import Registry
from longshore.runtime.results import mark_latest
from longshore.runtime.runner import Runner
from longshore.runtime.sharing import Sharing
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin, missing_members
from longshore.scheduler.state import DONE, ENDED, RunState, TaskPhase

if TYPE_CHECKING:
    from longshore.runtime.renters import Renters

__all__ = ["Engine", "check", "executor_of", "machines_of", "used_pools"]

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
        self._reach = Reach(run, state, self.runner.post)
        self._pools = used_pools(state)
        self._executors = {pool.name: executor_of(self._registry, pool, project, run) for pool in self._pools}

    @classmethod
    def create(cls, spec: WorkflowSpec, project: Project, options: RunOptions) -> Engine:
        """Check a workflow as far as that is possible without running it, and make the record of a new run.

        Raises:
            ConfigError: when it cannot run as it is written; nothing has been made.
        """
        with bulk():
            resolved = resolve_all(spec, project.folder)
            state = check(resolved, options)
        run = new_run_id()
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
            self.runner.post(RunContinued(at=datetime.now(UTC), fence=self._lock.fence))
            with ExitStack() as opened:
                linking = Linking(self.runner, reach, self._lock.fence)
                opened.callback(linking.close)
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
                if crew.renters is not None:
                    crew.renters.start()
                return self.runner.loop(crew)
        finally:
            if crew.renters is not None:
                crew.renters.close(over=self.runner.state.ended in {"succeeded", "failed", "cancelled"})
            crew.close()
            mark_latest(self.project.results(self.run).parent, self.run)
            if self.runner.state.ended in {"succeeded", "failed", "cancelled"}:
                pack(self.folder)
                if reach.cleared:
                    self.project.note_closed(self.run)
            self._journal.close()
            self._lock.release()
            if tidying is not None:
                tidying.join(_TIDYING_SECONDS)

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

    def _machines(self, pool: PoolSpec) -> Sequence[Machine]:
        return machines_of(self._registry, pool, self.options)

    def _shared(self, machine: Machine, reach: Reach, opened: ExitStack) -> Machine:
        """Join the other runs on this computer, and give the machine with this run's part of it."""
        part = opened.enter_context(Sharing(machine, self.runner.state, self.runner.post))
        reach.shared[machine.id] = part
        return part.machine()


def check(
    spec: WorkflowSpec,
    options: RunOptions,
    registry: Registry | None = None,
    rooms: Mapping[str, Sequence[Resources]] | None = None,
) -> RunState:
    """Build the state of a run of a resolved workflow, and refuse what can never run.

    ``rooms`` are the machines of each pool, where others are meant than the config names.

    Raises:
        ConfigError: for references to members that do not exist, and tasks that fit on no machine of their pool.
        PluginError: when a plugin that it names is missing or broken.
    """
    state = begin(spec)
    problems = [
        Problem(
            place="",
            key=f"tasks.{reader}",
            message=f"{reference} means the member {member!r} of {reference.task}, which does not exist",
            remedy=_members_remedy(near(member, state.groups[reference.task].members)),
        )
        for reader, reference, member in missing_members(state)
    ]
    registry = registry or Registry()
    registry.strategy_of(spec.strategy)
    for scheme in _schemes(spec):
        registry.store(scheme)
    problems += _check_tables(state)
    for pool in used_pools(state):
        if pool.provider is not None:
            _check_rented(spec, pool, pool.provider, registry)
            continue
        own = [] if rooms is not None else machines_of(registry, pool, options)
        problems += _too_big(state, pool, rooms[pool.name] if rooms is not None else [each.resources for each in own])
    if problems:
        raise ConfigError(problems)
    return state


def _schemes(spec: WorkflowSpec) -> list[str]:
    """List the schemes of the URLs that tasks read, or write to."""
    urls = [each.url for task in spec.tasks for each in task.inputs if isinstance(each, UrlInput)]
    urls += [task.results_to for task in spec.tasks if task.results_to]
    return sorted({url.partition("://")[0].lower() for url in urls})


def _check_tables(state: RunState) -> list[Problem]:
    """Refuse tables that could not be made: for want of a library, or since a member's folder is called the same."""
    collecting = [group for group in state.groups.values() if group.spec.collect is not None]
    if not collecting:
        return []
    from longshore.runtime.collecting import unmakeable  # noqa: PLC0415  most runs collect nothing

    return [problem for group in collecting for problem in unmakeable(group.spec, group.members)]


def _check_rented(spec: WorkflowSpec, pool: PoolSpec, provider: str, registry: Registry) -> None:
    """Refuse plugins and options that cannot be used. What there is to rent only the cloud knows; it is asked later."""
    from longshore.runtime.providers import Providers  # noqa: PLC0415  most runs rent nothing

    record = registry.executor(pool.executor)
    registry.options(record.config, pool.options, f"pools.{pool.name}")
    providers = Providers(spec.providers, registry)
    providers.open(provider)
    reaching = providers.described(provider)[0].executors
    if reaching and pool.executor not in reaching:
        message = f"the executor {pool.executor!r} does not reach machines of {provider}"
        remedy = f'write executor = "{reaching[0]}"'
        raise ConfigError([Problem(place="", key=f"pools.{pool.name}.executor", message=message, remedy=remedy)])


def _members_remedy(close: Sequence[str]) -> str:
    return f"did you mean {', '.join(close)}?" if close else "name one of its members, or a glob such as *"


def _too_big(state: RunState, pool: PoolSpec, largest: Sequence[Resources]) -> list[Problem]:
    rooms = "; ".join(map(_words, largest)) or "which has none"
    fitting: dict[int, bool] = {}

    def fits(needs: Resources) -> bool:
        # By identity: most tasks share their needs.
        known = fitting.get(id(needs))
        if known is None:
            known = fitting[id(needs)] = any(needs.fits(room) for room in largest)
        return known

    return [
        Problem(
            place="",
            key=f"tasks.{group.spec.name}.needs",
            message=f"{_words(group.spec.needs)} fit on no machine of pool {pool.name} ({rooms})",
            remedy="ask for less, or choose another pool",
        )
        for group in state.groups.values()
        if not fits(group.spec.needs) and state.pool_of(group.spec) == pool.name
    ]


def _words(resources: Resources) -> str:
    amounts = [f"{resources.cpus:g} cpus"]
    if resources.memory_bytes:
        amounts.append(f"{resources.memory_bytes / 2**30:.1f} GiB")
    if resources.gpus:
        amounts.append(f"{resources.gpus} gpus")
    return ", ".join(amounts)


def used_pools(state: RunState) -> list[PoolSpec]:
    """List the pools that tasks go to, in the order of the workflow."""
    used = {state.pool_of(group.spec) for group in state.groups.values()}
    return [pool for pool in state.workflow.pools if pool.name in used]


def executor_of(registry: Registry, pool: PoolSpec, project: Project, run: str) -> Executor:
    """Make the executor of a pool for a run.

    Raises:
        ConfigError: when the pool's options do not fit it.
        PluginError: when it is missing or broken.
    """
    record = registry.executor(pool.executor)
    options = registry.options(record.config, pool.options, f"pools.{pool.name}")
    context = ExecutorContext(
        run=run,
        run_folder=project.run_folder(run),
        project_folder=project.folder,
        store_folder=project.store,
        unattended=pool.unattended,
    )
    return registry.make_executor(record, options, context)


def machines_of(registry: Registry, pool: PoolSpec, options: RunOptions) -> list[Machine]:
    """List the machines that the config itself names for a pool; none for one whose machines are rented.

    Raises:
        ConfigError: when the pool's options do not fit its executor.
        PluginError: when that is missing or broken.
    """
    record = registry.executor(pool.executor)
    if record.machines is None or pool.rented is not None:
        return []
    settings = registry.options(record.config, pool.options, f"pools.{pool.name}")
    machines = list(registry.machines(record, settings, pool.name))
    if options.jobs is not None and pool.executor == "local":
        machines = [_with_jobs(machine, options.jobs) for machine in machines]
    return machines


def _with_jobs(machine: Machine, jobs: int) -> Machine:
    """``-j N`` gives this computer N cpus, as it does in other tools, and as many slots."""
    has = machine.resources
    resources = Resources(cpus=float(jobs), memory_bytes=has.memory_bytes, gpus=has.gpus, disk_bytes=has.disk_bytes)
    return evolve(machine, resources=resources, slots=jobs)
