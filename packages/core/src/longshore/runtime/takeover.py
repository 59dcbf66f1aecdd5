"""Taking a run over whose controller is gone with its computer, from another one.

What happened since the last copy of its journal the machines of the run say, each of what it has. What only the
computer had that is gone, results and outputs at home, is made again as far as somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from attrs import evolve, frozen

from longshore.config.bulk import bulk
from longshore.config.document import from_document, to_document
from longshore.errors import ExecutorError, FenceRefused, MachineUnreachable, StagingError, UsageError
from longshore.model.attempt import environment_of, split_attempt_id
from longshore.model.events import AttemptEnded, CancelAsked, Event, MachineAdded, MachineGone, RunContinued
from longshore.model.machine import Machine
from longshore.model.move_events import HomeLost, Moved, MoveFailed
from longshore.model.outcome import FailureClass
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.plugin.abilities import Surveys
from longshore.plugin.protocols import Executor, Session, SessionEvent
from longshore.remote.bringing import entries_of
from longshore.remote.store import object_path
from longshore.runtime.areas import areas_of
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal, task_row
from longshore.runtime.objects import resolve_all
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import executor_of, machines_of, used_pools
from longshore.runtime.project import Project
from longshore.runtime.reach import store_of
from longshore.runtime.registry import Registry
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.proving import Found, kept, prove, unproven
from longshore.scheduler.state import RunState

__all__ = ["Taken", "begin_anew", "take_over"]

_Buckets = Mapping[str, Container[str]]

_GONE = "the computer of the controller before is gone"
_END_SECONDS = 120.0
"""A machine that has said of an attempt that it is over tells how within this time."""


@frozen(kw_only=True)
class Taken:
    """What has become known of a run that was taken over."""

    fence: int
    found: int
    """Attempts that machines had and the journal did not know."""
    unproven: tuple[str, ...] = ()
    """Tasks of which nothing shows whether they have run; they are not run."""


@frozen(kw_only=True)
class _Host:
    pool: PoolSpec
    executor: Executor
    machine: Machine


def take_over(
    project: Project, run: str, folder: Path, *, gone: Collection[str], whole: bool, tell: Callable[[str], None]
) -> Taken:
    """Bring the record of a run, which lies in ``folder``, to where the run stands; nobody else may control it.

    ``gone`` names the machines of its pools that are gone for good; what they had is lost. With ``whole`` the record
    was that of the run; without it is that of a new one, and tasks of which no machine shows anything are cancelled.

    Raises:
        UsageError: when a machine does not say what it has, or has what the record cannot explain; nothing is changed.
        JournalError: when the record is damaged, or cannot be written.
    """
    journal = Journal.open(folder)
    try:
        meta = journal.meta()
        with bulk():
            state = begin(from_document(meta["workflow"]))
            for event in journal.events():
                apply(state, event)
        fence = RunReader(folder).fence()
        with ExitStack() as opened:
            survey = _Survey(project, run, state, fence, opened, tell)
            survey.ask(_hosts(project, run, state), gone)
            taking = _Taking(state, datetime.now(UTC))
            taken = taking.take(survey, gone, lambda: _contents(project, run, state), whole=whole)
            taking.note(*_listings(project, run, state, survey))
        journal.write(taking.events, map(task_row, state.tasks.values()))
        journal.set_meta("options", evolve(RunOptions.from_json(meta["options"]), copied=False).to_json())
        journal.set_meta("total", str(len(state.tasks)))
        journal.commit()
        journal.sync()
        return taken
    finally:
        journal.close()


def begin_anew(project: Project, folder: Path, spec: WorkflowSpec, options: RunOptions) -> None:
    """Make the record, in ``folder``, of a run as it was when it began, since that which it had is lost.

    Raises:
        ConfigError: when the workflow cannot run as it is written.
        UsageError: when tasks are made as it runs: nothing could tell which there were.
    """
    with bulk():
        resolved = resolve_all(spec, project.folder)
        state = begin(resolved)
    made = next((name for name, group in state.groups.items() if not group.made), None)
    if made is not None:
        raise UsageError(f"nothing shows which members task {made} had, since they are made while the run goes on")
    meta = {
        "name": spec.name,
        "created": datetime.now(UTC).isoformat(),
        "workflow": to_document(resolved),
        "options": options.to_json(),
        "total": str(len(state.tasks)),
    }
    Journal.create(folder, meta).close()


def _hosts(project: Project, run: str, state: RunState) -> list[_Host]:
    registry = Registry()
    hosts = []
    for pool in used_pools(state):
        if pool.executor != "local":
            executor = executor_of(registry, pool, project, run)
            hosts += [_Host(pool=pool, executor=executor, machine=m) for m in machines_of(registry, pool, RunOptions())]
    return hosts


class _Survey:
    """Asks machines what they have, and holds the links to them until all is known."""

    def __init__(
        self, project: Project, run: str, state: RunState, fence: int, opened: ExitStack, tell: Callable[[str], None]
    ) -> None:
        self.fence = fence + 1
        self.found: list[Found] = []
        self.hosts: dict[str, _Host] = {}
        self.sessions: dict[str, Session] = {}
        self._run = run
        self._opened = opened
        self._tell = tell
        self._ends: SimpleQueue[SessionEvent] = SimpleQueue()

    def ask(self, hosts: Sequence[_Host], gone: Collection[str]) -> None:
        """Ask all but those that are gone."""
        silent = []
        for host in hosts:
            name = host.machine.id
            self.hosts[name] = host
            if name in gone:
                continue
            self._tell(f"asking {name} what it has of the run")
            try:
                self._ask(host)
            except MachineUnreachable as error:
                silent.append(f"{name}: {error}")
        if silent:
            raise UsageError(
                f"it is not known what these machines have done: {'; '.join(silent)}. Take the run over when they can "
                "be reached, or name those that are gone for good by --gone: what they had is run again elsewhere"
            )

    def _ask(self, host: _Host) -> None:
        session = self._open(host)
        self._opened.callback(session.close)
        machine = host.machine.id
        self.sessions[machine] = session
        if not isinstance(session, Surveys):
            raise UsageError(f"pool {host.pool.name}: its executor cannot say what {machine} has of a run")
        known = {each: over for each, over in session.survey().items() if not _is_build(each)}
        over = [each for each, ended in known.items() if ended]
        session.adopt(over)
        ends = {(each.task, each.attempt): each for each in self._hear(len(over), machine)}
        for identity in known:
            _, task, number = split_attempt_id(identity)
            self.found.append(Found(task=task, attempt=number, machine=machine, end=ends.get((task, number))))

    def _open(self, host: _Host) -> Session:
        """Open a link under a fence that no controller has had there."""
        while True:
            try:
                return host.executor.open(host.machine, fence=self.fence, sink=self._sink)
            except FenceRefused as error:
                if error.fence < self.fence:
                    raise
                self.fence = error.fence + 1

    def _sink(self, *events: SessionEvent) -> None:
        for event in events:
            self._ends.put(event)

    def _hear(self, count: int, machine: str) -> Iterator[AttemptEnded]:
        while count:
            try:
                event = self._ends.get(timeout=_END_SECONDS)
            except Empty:
                raise MachineUnreachable(f"{machine} does not say how attempts have ended") from None
            if isinstance(event, MachineGone):
                raise MachineUnreachable(event.reason)
            if isinstance(event, AttemptEnded):
                count -= 1
                yield event


def _is_build(identity: str) -> bool:
    return bool(environment_of(split_attempt_id(identity)[1]))


class _Taking:
    """Lets a run know what was found, and notes the events that say it."""

    def __init__(self, state: RunState, now: datetime) -> None:
        self.events: list[Event] = []
        self._state = state
        self._now = now

    def note(self, *events: Event) -> None:
        """Let something have happened."""
        for event in events:
            apply(self._state, event)
            self.events.append(event)

    def take(
        self,
        survey: _Survey,
        gone: Collection[str],
        buckets: Callable[[], Mapping[str, Container[str]]],
        *,
        whole: bool,
    ) -> Taken:
        """Take in what was found on machines and in buckets.

        Raises:
            UsageError: when it cannot have happened as far as is known.
        """
        state, now = self._state, self._now
        self.note(RunContinued(at=now, fence=survey.fence))
        for machine in list(state.machines.values()):
            if machine.id in gone or not machine.store or machine.id in state.lease_of:
                reason = f"{machine.id} is gone" if machine.store else _GONE
                self.note(MachineGone(at=now, machine=machine.id, reason=reason))
        self.note(*(_added(host, now) for name, host in survey.hosts.items() if name in survey.sessions))
        before = {name: task.attempts for name, task in state.tasks.items()}
        events, left = prove(state, survey.found, now)
        self.events += [*events, *kept(state, buckets(), now)]
        if left and whole:
            names = ", ".join(sorted({f"{each.task} on {each.machine}" for each in left})[:5])
            raise UsageError(
                f"machines have attempts that nothing explains: {names}. Nothing is taken over, since tasks could run "
                "twice; what runs there ends itself when nobody has attended to it for its pool's unattended time"
            )
        self.note(HomeLost(at=now, reason=_GONE))
        unknown = [] if whole else unproven(state)
        if unknown:
            self.note(CancelAsked(at=now, tasks=tuple(unknown)))
        new = sum(each.attempt > before.get(each.task, 0) for each in survey.found)
        return Taken(fence=survey.fence, found=new, unproven=tuple(unknown))


def _added(host: _Host, now: datetime) -> MachineAdded:
    machine = host.machine
    return MachineAdded(
        at=now,
        machine=machine.id,
        pool=machine.pool,
        resources=machine.resources,
        slots=machine.slots,
        store=store_of(machine),
    )


def _contents(project: Project, run: str, state: RunState) -> dict[str, set[str]]:
    """Say which digests buckets have; of folders only those of which they have everything."""
    found: dict[str, set[str]] = {}
    for url, area in areas_of(used_pools(state), run, project.store).items():
        has = found[url] = area.contents()
        outputs = [output for end in state.where.settling.values() for output in end.outputs]
        for folder in [each for each in outputs if each.kind == "folder" and each.sha256 in has]:
            area.fetch(evolve(folder, kind="file", size=0))
            listing = Path(object_path(str(project.store), folder.sha256)).read_bytes()
            if any(each.kind == "f" and each.sha256 not in has for each in entries_of(listing, folder.path)):
                has.discard(folder.sha256)
        area.close()
    return found


def _listings(project: Project, run: str, state: RunState, survey: _Survey) -> list[Event]:
    """Bring the listings of folders home that are elsewhere: readers are told by them what there is."""
    areas = areas_of(used_pools(state), run, project.store)
    places = {state.machines[name].store: name for name in survey.sessions}
    told: list[Event] = []
    for sha256, entry in state.where.elsewhere.items():
        if entry.artifact.kind != "folder" or entry.listed:
            continue
        listing = evolve(entry.artifact, kind="file", size=0)
        for store in [store for store, has in state.where.stores.items() if sha256 in has]:
            place, now = places.get(store, store), datetime.now(UTC)
            try:
                if store in areas:
                    areas[store].fetch(listing)
                elif store in places:
                    survey.sessions[place].get([listing])
                else:
                    continue
            except (StagingError, ExecutorError) as error:
                failed = MoveFailed(
                    at=now,
                    artifact=entry.artifact,
                    source=place,
                    failure=FailureClass.STAGING,
                    reason=str(error),
                    lost=True,
                )
                told.append(failed)
            else:
                told.append(Moved(at=now, artifacts=(listing,), source=place))
                break
    for area in areas.values():
        area.close()
    return told
