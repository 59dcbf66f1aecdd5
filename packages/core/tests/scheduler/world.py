"""Machines with stores of their own, as the scheduler sees them: what is where, what is on its way, what breaks."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from hashlib import sha256

from attrs import evolve, frozen

from longshore.builtin.strategies import CriticalPath
from longshore.model.artifact import Artifact, Input
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    Event,
    Identified,
    MachineAdded,
    MachineGone,
    ResultsDelivered,
    RunContinued,
    RunEnded,
    TasksIdentified,
)
from longshore.model.move_events import HomeLost, InputsStaged, Moved, MoveFailed, ObjectsDiscarded
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, Outcome
from longshore.model.resources import Resources
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.actions import Action, CancelAttempt, Deliver, EndRun, Identify, StartAttempt, WakeAt
from longshore.scheduler.apply import apply
from longshore.scheduler.away_actions import Discard, LoseMachine, Move, StageAttempt
from longshore.scheduler.building import begin, waits_of
from longshore.scheduler.decide import decide
from longshore.scheduler.graph import producers
from longshore.scheduler.proving import Found, kept, prove
from longshore.scheduler.state import TaskPhase
from longshore.testing import EPOCH

__all__ = ["Host", "World"]


GRACE = timedelta(seconds=5)
"""What an attempt that is asked to end may take for it, when its task says nothing else."""


@frozen(kw_only=True)
class Host:
    """A machine: its store (empty for the project's), and whether it can vanish."""

    name: str
    store: str
    vanishes: bool = False


class World:
    """One run on some hosts. Physical facts are kept apart from what the state believes, and compared with it.

    ``folders`` are tasks that write a folder, of which readers read a part; ``fickle`` are those that write something
    else each time, and ``twins`` all write the same.
    """

    def __init__(
        self,
        spec: WorkflowSpec,
        hosts: list[Host],
        seed: int,
        folders: frozenset[str] = frozenset(),
        fickle: frozenset[str] = frozenset(),
        twins: frozenset[str] = frozenset(),
        strangers: float = 0.0,
    ) -> None:
        self.spec = spec
        self.hosts = hosts
        self.seed = seed
        self.folders = folders
        self.fickle = fickle
        self.twins = twins
        self.strangers = strangers
        """How often what one machine wants of another one comes home instead."""
        self.moths = False
        """Whether objects may vanish from stores, so that inputs are not always where they are thought to be."""
        self.listed: set[str] = set()
        """Folders whose listings are at home."""
        self.trees: set[str] = set()
        """All folders that were ever written."""
        self.history: list[Event] = []
        self.now = EPOCH
        self.random = random.Random(self.seed)
        self.state = begin(self.spec)
        self.home: set[str] = set()
        self.stores: dict[str, set[str]] = {pool.store: set() for pool in spec.pools if pool.store}
        self.asked: set[Action] = set()
        self.on_their_way: list[Move] = []
        self.staging: list[StageAttempt] = []
        self.running: dict[str, tuple[int, str]] = {}
        self.up: set[str] = set()
        self.parted: dict[str, datetime] = {}
        """Hosts out of reach: until when they may go on with what they were given."""
        self.unseen: dict[str, AttemptEnded] = {}
        """What has ended on them: by task, what they will tell when they are back."""
        self.fence = 0
        self.delivered: set[str] = set()
        self.runs: list[str] = []
        self.control()

    def __repr__(self) -> str:
        reads = {spec.name: sorted(producers(spec)) + ["keep"] * spec.keep for spec in self.spec.tasks}
        drawn = (self.folders, self.fickle, self.twins, self.strangers, self.spec.pools[0].store)
        return f"World({reads}, {self.hosts}, seed={self.seed}, {', '.join(map(str, drawn))})"

    # --- what has happened

    def take(self, event: Event) -> None:
        self.history.append(event)
        apply(self.state, event)

    def control(self) -> None:
        """Let another controller take over: what was asked of the last one is forgotten, half of it done."""
        self.fence += 1
        self.take(RunContinued(at=self.now, fence=self.fence))
        self.asked.clear()
        self.on_their_way.clear()
        self.staging.clear()
        for host in self.hosts:
            if host.name in self.up or self.fence == 1:
                self.add(host)
        for name, until in self.parted.items():
            self.take(MachineGone(at=self.now, machine=name, reason="it is still not there", over_by=until))

    def eat(self) -> None:
        """Let an object vanish from one of the stores that are not at home."""
        full = [store for store in self.stores.values() if store]
        if full:
            store = self.random.choice(full)
            store.discard(self.random.choice(sorted(store)))

    def add(self, host: Host) -> None:
        self.up.add(host.name)
        if host.store:
            self.stores.setdefault(host.store, set())
        self.take(
            MachineAdded(
                at=self.now,
                machine=host.name,
                pool="local",
                resources=Resources(cpus=2),
                store=host.store,
                vanishes=host.vanishes,
            )
        )

    def part(self, host: Host) -> None:
        """Let a machine go out of reach; it goes on with what it was given."""
        self.up.discard(host.name)
        self.forget_orders(host)
        over_by = self.now + timedelta(seconds=20)
        self.parted[host.name] = over_by + GRACE
        self.take(MachineGone(at=self.now, machine=host.name, reason="the link is down", over_by=over_by))

    def meet(self, host: Host) -> None:
        """Let a machine come back, and say what became of what it was given."""
        self.parted.pop(host.name, None)
        self.add(host)
        for name in list(self.state.live):
            task = self.state.tasks[name]
            if task.machine == host.name and task.phase is not TaskPhase.STAGING and name not in self.running:
                lost = Lost("ended since nobody attended")
                never = AttemptEnded(at=self.now, task=name, attempt=task.attempts, outcome=lost)
                ended = self.unseen.get(name, never)
                self.take(ended if ended.attempt == task.attempts else never)

    def end_unattended(self) -> None:
        """Let machines end what was theirs when their time is over."""
        for name, until in list(self.parted.items()):
            if self.now >= until:
                del self.parted[name]
                self.running = {task: run for task, run in self.running.items() if run[1] != name}

    def lose(self, host: Host) -> None:
        """Let a machine go, and its store with the last one that has it."""
        self.up.discard(host.name)
        self.parted.pop(host.name, None)
        if host.store and not any(each.store == host.store and each.name in self.up for each in self.hosts):
            del self.stores[host.store]
        self.running = {task: run for task, run in self.running.items() if run[1] != host.name}
        self.forget_orders(host)
        self.take(MachineGone(at=self.now, machine=host.name, reason="it caught fire"))

    def forget_orders(self, host: Host) -> None:
        """Let all that was asked of a link end with it; should the machine come back, it is asked again."""
        self.staging = [each for each in self.staging if each.machine != host.name]
        self.on_their_way = [each for each in self.on_their_way if host.name not in {each.source, each.target}]
        self.asked = {
            each
            for each in self.asked
            if host.name not in {getattr(each, name, "") for name in ("source", "target", "machine")}
        }

    def take_over(self, seen: int) -> None:
        """Let another computer take the run over, from a copy with so many events. All that was at home is gone;
        machines tell of all that was not in the copy.
        """
        before, late = self.history[:seen], self.history[seen:]
        ends = {(each.task, each.attempt): each for each in late if isinstance(each, AttemptEnded)}
        far = {host.name for host in self.hosts if host.store}
        self.running = {task: run for task, run in self.running.items() if run[1] in far}
        found = [
            Found(task=each.task, attempt=each.attempt, machine=each.machine, end=ends.get((each.task, each.attempt)))
            for each in self.history
            if isinstance(each, AttemptIntended)
            and each.machine in far
            and ((each.task, each.attempt) in ends or self.running.get(each.task) == (each.attempt, each.machine))
        ]
        for each in found:  # what was not released a machine keeps
            self.store(each.machine).update(output.sha256 for output in (each.end.outputs if each.end else ()))
        self.history, self.state = before, begin(self.spec)
        for event in before:
            apply(self.state, event)
        self.fence += 1
        self.take(RunContinued(at=self.now, fence=self.fence))
        for host in self.hosts:
            if host.store:
                self.add(host)
            else:
                self.take(MachineGone(at=self.now, machine=host.name, reason="it was the controller's"))
        events, left = prove(self.state, found, self.now)
        assert left == []
        buckets = {url: self.stores[url] for url in self.state.where.buckets}
        self.history += [*events, *kept(self.state, buckets, self.now)]
        for place in (self.home, self.listed, self.delivered):
            place.clear()
        self.take(HomeLost(at=self.now, reason="it was the controller's"))
        self._bring_listings()
        self.control()

    def _bring_listings(self) -> None:
        where = self.state.where
        for digest, entry in list(where.elsewhere.items()):
            for store in [store for store, has in where.stores.items() if digest in has and not entry.listed]:
                place = next((host.name for host in self.hosts if host.store == store), store)
                if digest in self.stores[store] and entry.artifact.kind == "folder":
                    listing = evolve(entry.artifact, kind="file", size=0)
                    self.listed.add(digest)
                    self.take(Moved(at=self.now, artifacts=(listing,), source=place))
                elif entry.artifact.kind == "folder":
                    failure, artifact = FailureClass.STAGING, entry.artifact
                    self.take(
                        MoveFailed(
                            at=self.now, artifact=artifact, source=place, failure=failure, reason="no", lost=True
                        )
                    )

    # --- what is asked for

    def turn(self) -> None:
        """Decide, and begin what is asked for."""
        self.end_unattended()
        while True:
            actions = decide(self.state, CriticalPath(), self.now)
            assert actions == decide(self.state, CriticalPath(), self.now), "deciding changed something"
            if not self._answer(actions):
                break
        asked: set[Action] = {
            each for each in actions if isinstance(each, Move | StageAttempt | Deliver | CancelAttempt)
        }
        for action in actions:
            if action in asked and action not in self.asked:
                self._begin(action)
        self.asked = asked

    def _answer(self, actions: object) -> bool:
        before = len(self.history)
        started: list[StartAttempt] = []
        for action in list(actions):  # type: ignore[call-overload]  # a sequence of actions
            match action:
                case StartAttempt(task, attempt, machine):
                    self.take(AttemptIntended(at=self.now, task=task, attempt=attempt, machine=machine))
                    started.append(action)
                case Identify(tasks):
                    items = tuple(Identified(task=task, identity=task, inputs=self.reads(task)) for task in tasks)
                    self.take(TasksIdentified(at=self.now, items=items))
                case Discard(machine, digests):
                    self.take(ObjectsDiscarded(at=self.now, machine=machine, digests=digests))
                    store = self.store(machine)
                    assert store is not self.home, "what is at home is nobody's to discard"
                    store.difference_update(digests)
                case LoseMachine(machine, reason):
                    self.end_unattended()
                    on_it = [task for task, run in self.running.items() if run[1] == machine]
                    assert not on_it, "a machine is given up while it may still go on"
                    self.parted.pop(machine, None)
                    self.take(MachineGone(at=self.now, machine=machine, reason=reason))
                case EndRun(state):
                    self.take(RunEnded(at=self.now, state=state))
                case WakeAt(at) if not (self.running or self.staging or self.on_their_way):
                    self.now = at
                case _:
                    pass
        for action in started:
            if action.task not in self.state.where.staging:
                self.start(action.task, action.attempt, action.machine)
        return len(self.history) > before

    def _begin(self, action: Action) -> None:
        match action:
            case Move():
                same = [
                    each
                    for each in self.on_their_way
                    if (each.artifact, each.source, each.target) == (action.artifact, action.source, action.target)
                ]
                # What was thought lost meanwhile, and was not, may be wanted again.
                assert not same or self.moths, "a move under way is asked for twice"
                self.on_their_way.append(action)
            case StageAttempt():
                self.staging.append(action)
            case Deliver(task):
                missing = {each.sha256 for each in self.state.tasks[task].outputs} - self.home
                given_up = set(self.state.where.given_up)
                assert missing <= given_up, "results are delivered that are not at home"
                self.delivered.add(task)
                self.take(ResultsDelivered(at=self.now, task=task, problem="it did not come" if missing else ""))
            case CancelAttempt(task, attempt):
                self.running.pop(task, None)
                self.staging = [each for each in self.staging if each.task != task]
                self.take(AttemptEnded(at=self.now, task=task, attempt=attempt, outcome=Cancelled()))
            case _:
                raise TypeError(f"nobody does {action!r}")

    # --- what machines do

    def step(self, *, failing: float = 0.0) -> None:
        """Let one thing happen that was begun, if there is any."""
        self.now += timedelta(seconds=1)
        possible: list[Move | StageAttempt | str] = [*self.on_their_way, *self.staging, *self.running]
        if not possible:
            return
        chosen = self.random.choice(possible)
        match chosen:
            case Move():
                self.on_their_way.remove(chosen)
                self.arrive(chosen, broken=self.random.random() < failing)
            case StageAttempt():
                self.staging.remove(chosen)
                self.stage(chosen)
            case task:
                bad = self.random.random() < failing
                self.end(task, FailureClass.MACHINE_LOST if bad else None)

    def arrive(self, move: Move, *, broken: bool = False) -> None:
        there = self.store(move.source)
        artifact = move.artifact
        if artifact.kind == "folder" or artifact.sha256 in there:
            has = artifact.sha256 in there
        else:
            has = any(self.piece(folder) == artifact.sha256 for folder in there)
        if broken or not has:
            failure = FailureClass.NETWORK if broken else FailureClass.STAGING
            self.take(
                MoveFailed(
                    at=self.now,
                    artifact=artifact,
                    source=move.source,
                    target=move.target,
                    failure=failure,
                    reason="no",
                    lost=not broken,
                )
            )
            return
        if move.target and self.random.random() > self.strangers:
            self.store(move.target).add(artifact.sha256)
            self.take(Moved(at=self.now, artifacts=(artifact,), source=move.source, target=move.target))
            return
        is_listing = artifact.kind == "file" and artifact.sha256 in self.trees
        (self.listed if is_listing else self.home).add(artifact.sha256)
        self.take(Moved(at=self.now, artifacts=(artifact,), source=move.source))

    def stage(self, action: StageAttempt) -> None:
        task = self.state.tasks[action.task]
        if (task.attempts, action.task in self.state.live) != (action.attempt, True):
            return
        store = self.store(action.machine)
        for each in task.view.inputs:
            if not (self.has(store, each) or self.has(self.home, each)):
                assert self.moths, "what is staged is neither here nor there"
                self.refuse(action.task, action.attempt)
                return
            store.add(each.sha256)
        self.take(InputsStaged(at=self.now, task=action.task, attempt=action.attempt))
        self.start(action.task, action.attempt, action.machine)

    def start(self, task: str, attempt: int, machine: str) -> None:
        store = self.store(machine)
        missing = [each for each in self.state.tasks[task].view.inputs if not self.has(store, each)]
        if missing and self.moths:
            self.refuse(task, attempt)
            return
        assert not missing, f"{task} starts on {machine} before its inputs are there"
        assert task not in self.running, f"{task} runs twice at once"
        self.running[task] = (attempt, machine)

    def refuse(self, task: str, attempt: int) -> None:
        """Say that an attempt's inputs cannot be laid."""
        lost = Lost("never started")
        self.take(AttemptEnded(at=self.now, task=task, attempt=attempt, outcome=lost, failure=FailureClass.STAGING))

    def end(self, task: str, failure: FailureClass | None = None) -> None:
        attempt, machine = self.running.pop(task)
        outcome: Outcome = Exited(0 if failure is None else 1)
        outputs = self.writes(task, attempt) if failure is None else ()
        self.store(machine).update(each.sha256 for each in outputs)
        self.runs.append(task)
        ended = AttemptEnded(at=self.now, task=task, attempt=attempt, outcome=outcome, failure=failure, outputs=outputs)
        if machine in self.parted:
            self.unseen[task] = ended
        else:
            self.take(ended)

    # --- facts

    def store(self, machine: str) -> set[str]:
        store = next((host.store for host in self.hosts if host.name == machine), machine)
        return self.stores[store] if store else self.home

    def has(self, store: set[str], read: Input) -> bool:
        return read.sha256 in store or any(self.piece(each) == read.sha256 for each in store)

    def writes(self, task: str, attempt: int) -> tuple[Artifact, ...]:
        if self.name(task) in self.folders:
            self.trees.add(self.digest(task, attempt))
            return (Artifact(path="d", sha256=self.digest(task, attempt), size=10, kind="folder"),)
        return (Artifact(path="out", sha256=self.digest(task, attempt), size=10),)

    def digest(self, task: str, attempt: int) -> str:
        name = self.name(task)
        words = "twin" if name in self.twins - self.folders else f"{task} {attempt if name in self.fickle else 0}"
        return sha256(words.encode()).hexdigest()

    def name(self, task: str) -> str:
        return self.state.tasks[task].view.name

    def piece(self, digest: str) -> str:
        return sha256(f"part of {digest}".encode()).hexdigest()

    def producers(self, task: str) -> list[str]:
        """The tasks whose outputs a task reads."""
        found: set[str] = set()
        for name, group in waits_of(self.state, self.state.tasks[task].task):
            found.update(self.state.groups[group].members.values() if name is None else [name])
        return sorted(found)

    def reads(self, task: str) -> tuple[Input, ...]:
        found = []
        for name in self.producers(task):
            for output in self.state.tasks[name].outputs:
                part = output.kind == "folder"
                if part:
                    assert output.sha256 in self.listed | self.home, "nobody knows what is in the folder"
                digest = self.piece(output.sha256) if part else output.sha256
                found.append(Input(sha256=digest, size=5, origin=name))
        return tuple(found)
