"""Doing what the scheduler decided: identities, attempts, deliveries, members."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from longshore.errors import LongshoreError, RunError, StagingError
from longshore.model.attempt import AttemptSpec, attempt_id
from longshore.model.events import AttemptEnded, Event, InputsFailed, MembersMade, TasksIdentified
from longshore.model.machine import Machine
from longshore.plugin.abilities import Together
from longshore.runtime.cache import Cache
from longshore.runtime.delivering import Delivering
from longshore.runtime.identify import Identifier
from longshore.runtime.inputs import Inputs, Resolved
from longshore.runtime.members import read_values
from longshore.runtime.not_started import never_started
from longshore.runtime.objects import Objects
from longshore.runtime.options import RunOptions
from longshore.runtime.others import Others
from longshore.runtime.private import private_environment, secret_files
from longshore.runtime.project import Project
from longshore.runtime.reach import Reach, store_of
from longshore.runtime.remembering import Remembering
from longshore.runtime.runner import Runner
from longshore.runtime.successes import Successes
from longshore.scheduler.actions import (
    Action,
    CancelAttempt,
    Deliver,
    EndRun,
    Identify,
    MakeMembers,
    MakeTable,
    StartAttempt,
    WakeAt,
)
from longshore.scheduler.state import TaskState

if TYPE_CHECKING:
    from longshore.runtime.copies import JournalCopies
    from longshore.runtime.drawing import Drawing
    from longshore.runtime.environments import Environments
    from longshore.runtime.renters import Renters
    from longshore.scheduler.away_actions import StageAttempt

__all__ = ["Crew"]

_THREADS = 4
"""For digests of large files and copies of results; what is quick is done in the runner's own thread."""


class Crew:
    """Performs the actions of one run."""

    def __init__(
        self, *, project: Project, run: str, options: RunOptions, runner: Runner, cache: Cache, reach: Reach
    ) -> None:
        self.reach = reach
        self.renters: Renters | None = None
        """Who rents machines for the run; None when no pool has a provider."""
        self.copies: JournalCopies | None = None
        """Who copies the journal to where it outlives this computer; None when nobody does."""
        self._project = project
        self._run = run
        self._options = options
        self._runner = runner
        self._state = runner.state
        self._cache = cache
        self._objects = Objects(project.store, cache, run=run)
        self._inputs = Inputs(project, runner.state, Others(project), self._objects)
        self._identifier = Identifier(self._inputs, cache, options, runner.state, run=run)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"longshore-{run}")
        self._delivering = Delivering(project.store, project.results(run), runner.post)
        self._looking: set[str] = set()
        self._ready: dict[str, Resolved] = {}
        self._successes = Successes(run, runner.state, Remembering(cache, runner.fail), self._made_of)
        self._private_env = private_environment(project.folder, runner.state.workflow)
        self._environments: Environments | None = None
        self._drawing: Drawing | None = None

    @property
    def environments(self) -> Environments | None:
        """Who asks for environments; None as long as the run has none, which tasks that join it may change."""
        if self._environments is None and self._state.workflow.environments:
            from longshore.runtime.environments import Environments  # noqa: PLC0415  all runs wait for imports

            self._environments = Environments(
                run=self._run,
                runner=self._runner,
                private_env=self._private_env,
                sessions=self.reach.sessions,
                remotes=self.reach.remotes,
                results=self._project.results(self._run),
            )
        return self._environments

    def expect(self, machine: Machine, *, here: bool = False) -> None:
        """Learn of a machine that will be linked, before anything is decided; ``here``: it is this computer."""
        if store_of(machine):
            self._identifier.travels = True
            self._inputs.apart.add(machine.pool)
            if self._drawing is None:
                from longshore.runtime.drawing import Drawing  # noqa: PLC0415  as above

                self._drawing = Drawing(self._objects, self._identifier, self._ready, self._runner.post)
        if not here:
            self._inputs.away.add(machine.pool)

    def name_inputs(self) -> None:
        """Tell from now on of each task that must run what it reads, and what that is called."""
        self._identifier.named = True

    def news(self, events: Sequence[Event]) -> Sequence[Event]:
        """Tell how much of this computer other runs leave to this one, when that may have changed."""
        return self.reach.news(events) if self.reach.shared else ()

    def identify(self, tasks: Sequence[str]) -> Iterable[Event]:
        """Tell the identities of tasks whose inputs have known digests; look at the other files in the background."""
        quick: list[str] = []
        for name in tasks:
            if name in self._looking:
                continue
            if self._identifier.quick(self._state.tasks[name].task):
                quick.append(name)
            else:
                self._looking.add(name)
                # Other workflows may take hours: who waits for them must not keep those who only read files from it.
                waits = any(reference.workflow for reference in self._state.tasks[name].task.spec.references)
                (self._apart if waits else self._later)(self._look, name)
        return self._found([*quick]) if quick else ()

    def _look(self, name: str) -> None:
        """Identify one task in a thread of its own, since its files have to be read."""
        for event in self._found([name]):
            self._runner.post(event)
        self._looking.discard(name)

    def _found(self, names: Sequence[str]) -> list[Event]:
        findings = self._identifier.look(names)
        self._ready.update(findings.ready)
        events: list[Event] = [
            InputsFailed(at=_now(), task=name, reason=reason) for name, reason in findings.missing.items()
        ]
        if findings.items:
            events.append(TasksIdentified(at=_now(), items=findings.items))
        return events

    def start(self, actions: Sequence[StartAttempt]) -> None:
        """Hand attempts to their machines; whatever prevents that ends the attempt."""
        with ExitStack() as pieces:
            for machine in {action.machine for action in actions}:
                session: object = self.reach.sessions.get(machine)
                if len(actions) > 1 and isinstance(session, Together):
                    pieces.enter_context(session.together())
            for action in actions:
                self._start(action)

    def stage(self, action: StageAttempt) -> None:
        """Bring what an attempt reads to its machine, and start it there."""
        known = action.task in self._ready or self._identifier.quick(self._state.tasks[action.task].task)
        if known or action.machine not in self.reach.remotes:
            self._start(action, staging=True)
        else:
            # Another controller has looked at what it reads; to do so again may take long.
            self._later(lambda _: self._start(action, staging=True), action.task)

    def _start(self, action: StartAttempt | StageAttempt, *, staging: bool = False) -> None:
        task = self._state.tasks[action.task]
        try:
            spec = self._attempt(task, action.attempt)
            remote = self.reach.remotes.get(action.machine)
            if remote is not None:
                # What shares the project's store and is not this computer has a place of its own for each attempt.
                put = staging or not self._state.machines[action.machine].store
                if put:
                    self._inputs.sending(spec.inputs)
                far = [item for item in spec.inputs if self._objects.far(item)]
                if far and self._drawing is not None:
                    self._drawing.start(action, spec, far, remote, put=put)
                else:
                    remote.start(spec, put=put)
                return
            session = self.reach.sessions[action.machine]
            session.create(spec)
            if spec.items:
                session.put(spec.id, spec.items)
            if staging:
                from longshore.model.move_events import InputsStaged  # noqa: PLC0415  as above

                self._runner.post(InputsStaged(at=_now(), task=action.task, attempt=action.attempt))
            session.go(spec.id)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is this attempt's end, told by its class
            self._runner.post(never_started(action.task, action.attempt, error))

    def _attempt(self, task: TaskState, number: int) -> AttemptSpec:
        name = task.task.id
        ready = self._ready.get(name)
        if ready is None:
            ready = self._ready[name] = self._inputs.resolve(task.task)
        spec = task.task.spec
        env = {
            **ready.env,
            "LONGSHORE_RUN": self._run,
            "LONGSHORE_TASK": name,
            "LONGSHORE_ATTEMPT": str(number),
        }
        return AttemptSpec(
            id=attempt_id(self._run, name, number),
            command=ready.command,
            env=env,
            private_env=self._private_env,
            inputs=ready.items,
            modules=ready.modules,
            outputs=spec.outputs,
            secrets=secret_files(self._project.folder, spec.secrets) if spec.secrets else (),
            environment=self.environments.key_of(task) if spec.environment and self.environments is not None else "",
            needs=spec.needs,
            timeout=spec.timeout,
            grace=spec.grace,
            warn=spec.warn,
            keep_workdir=self._options.keep_workdirs,
        )

    def perform(self, action: Action) -> None:
        """Begin an action whose answer comes later."""
        match action:
            case CancelAttempt():
                self.reach.cancel(action)
            case Deliver(name):
                task = self._state.tasks[name]
                self._delivering.add(name, task.task.folder, task.outputs, task.task.spec.results_to)
                self._later(self._deliver_some, name)
            case MakeTable(name, edition):
                self._make_table(name, edition)
            case MakeMembers(name):
                self._later(self._make_members, name)
            case EndRun() | Identify() | StartAttempt() | WakeAt():
                raise TypeError(f"nobody performs {action!r}")
            case _:
                from longshore.runtime.perform_away import perform_away  # noqa: PLC0415  as above

                perform_away(self, action)

    def _deliver_some(self, _name: str) -> None:
        self._delivering.some()

    def _make_table(self, name: str, edition: int) -> None:
        from longshore.runtime.collecting import Collecting, members_of  # noqa: PLC0415  as above

        collecting = Collecting(
            store=self._project.store,
            results=self._project.results(self._run),
            run_folder=self._project.run_folder(self._run),
            post=self._runner.post,
        )
        spec, members = self._state.groups[name].spec, members_of(self._state, name)
        self._later(lambda _: collecting.make(spec, edition, members), name)

    def _make_members(self, name: str) -> None:
        group = self._state.groups[name]
        placeholder = next(iter(group.members.values()))
        try:
            reader = self._state.tasks[placeholder].task
            values = read_values(
                group.spec, lambda reference: self._inputs.meant(reference, reader), self._project.store
            )
        except (LongshoreError, OSError, ValueError) as error:
            self._runner.post(InputsFailed(at=_now(), task=placeholder, reason=str(error)))
        else:
            self._runner.post(MembersMade(at=_now(), name=name, values=values))

    def committed(self, events: Sequence[Event]) -> None:
        """Let machines forget attempts whose ends are in the journal, and note successes for the cache."""
        self.reach.committed(events)
        if self.copies is not None:
            self.copies.committed(events)
            for safe in self.copies.safe():
                self.reach.release(safe)
        for event in events:
            if isinstance(event, AttemptEnded):
                self._ended(event)
            elif self._drawing is not None and isinstance(event, TasksIdentified):
                for action in self._drawing.begun(event, self._state):
                    self._start(action, staging=True)
            elif self.environments is not None:
                self.environments.committed(event)
        self._successes.committed()

    def _ended(self, event: AttemptEnded) -> None:
        if event.task not in self._state.tasks:
            return
        if self.copies is not None:
            self.copies.hold(event)
        else:
            self.reach.release(event)
        self._successes.ended(event)

    def _made_of(self, task: TaskState) -> Resolved | None:
        """Say what an attempt was made of; None when another controller began it and its inputs are gone."""
        ready = self._ready.pop(task.task.id, None)
        if ready is not None:
            return ready
        try:
            return self._inputs.resolve(task.task)
        except StagingError:
            return None

    def synced(self) -> None:
        """Put successes into the index across runs, now that the journal can be trusted with them."""
        self._successes.synced()

    def close(self) -> None:
        """Let go of the machines and of the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        over = self._state.over
        self.reach.close(over=over)
        self._inputs.close()
        self._successes.close()
        if over:
            self._cache.unpin(self._run)
            self._cache.trim()
        self._cache.close()

    def _later(self, work: Callable[[str], None], name: str) -> None:
        self._pool.submit(self._guarded, work, name)

    def _apart(self, work: Callable[[str], None], name: str) -> None:
        threading.Thread(target=self._guarded, args=(work, name), daemon=True).start()

    def _guarded(self, work: Callable[[str], None], name: str) -> None:
        try:
            work(name)
        except LongshoreError as error:
            self._runner.fail(error)
        except Exception as error:  # noqa: BLE001  a bug must end the run in words, not a thread without any
            wrapped = RunError(f"{name}: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._runner.fail(wrapped)


def _now() -> datetime:
    return datetime.now(UTC)
