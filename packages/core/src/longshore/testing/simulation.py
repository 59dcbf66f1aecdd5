"""A run without machines: events are made up, time is moved by hand, and the scheduler's own actions drive it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from longshore.builtin.strategies import CriticalPath
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    AttemptStarted,
    Event,
    Identified,
    MachineAdded,
    MachineGone,
    MembersMade,
    ResultsDelivered,
    RunContinued,
    RunEnded,
    TableMade,
    TasksIdentified,
)
from longshore.model.move_events import InputsStaged, Moved, ObjectsDiscarded
from longshore.model.outcome import Exited, FailureClass, Outcome
from longshore.model.resources import Resources
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.protocols import AssignmentStrategy
from longshore.scheduler.actions import (
    CancelAttempt,
    Deliver,
    EndRun,
    Identify,
    MakeMembers,
    MakeTable,
    StartAttempt,
    WakeAt,
)
from longshore.scheduler.apply import apply
from longshore.scheduler.away_actions import BuildEnvironment, CancelBuild, Discard, LoseMachine, Move, StageAttempt
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.renting_actions import DrainMachine, FindOffers, GiveUp, RefuseTasks, Rent, StartAgain
from longshore.scheduler.state import RunState

__all__ = ["EPOCH", "Simulation"]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Simulation:
    """One run, its history, and a machine that ends attempts as it is told.

    ``outcomes`` says for each task how its attempts end, the last one for good; ``members`` what `MakeMembers` finds;
    ``cached`` which tasks have succeeded before.
    """

    def __init__(
        self, spec: WorkflowSpec, *, cpus: float = 2, seed: int = 0, strategy: AssignmentStrategy | None = None
    ) -> None:
        self.spec = spec
        self.strategy = strategy or CriticalPath()
        self.now = EPOCH
        self.history: list[Event] = []
        self.state: RunState = begin(spec)
        self.random = random.Random(seed)
        self.outcomes: dict[str, list[tuple[Outcome, FailureClass | None]]] = {}
        self.members: dict[str, tuple[tuple[str, ...], ...]] = {}
        self.cached: set[str] = set()
        self.ended_count: dict[str, int] = {}
        self.take(RunContinued(at=self.now, fence=1))
        self.take(MachineAdded(at=self.now, machine="m", pool="local", resources=Resources(cpus=cpus)))

    def take(self, event: Event) -> None:
        """Let something have happened."""
        self.history.append(event)
        apply(self.state, event)

    def turn(self) -> bool:
        """Decide once and do it all at once; answer whether there was anything to do."""
        actions = decide(self.state, self.strategy, self.now)
        for action in actions:
            match action:
                case StartAttempt(task, attempt, machine):
                    self.take(AttemptIntended(at=self.now, task=task, attempt=attempt, machine=machine))
                case Identify(tasks):
                    items = tuple(
                        Identified(task=task, identity=f"i-{task}", outputs=() if task in self.cached else None)
                        for task in tasks
                    )
                    self.take(TasksIdentified(at=self.now, items=items))
                case MakeMembers(name):
                    self.take(MembersMade(at=self.now, name=name, values=self.members[name]))
                case Deliver(task):
                    self.take(ResultsDelivered(at=self.now, task=task))
                case MakeTable(name, edition):
                    self.take(TableMade(at=self.now, name=name, edition=edition, table=()))
                case LoseMachine(machine, reason):
                    self.take(MachineGone(at=self.now, machine=machine, reason=reason))
                case EndRun(state):
                    self.take(RunEnded(at=self.now, state=state))
                case WakeAt(at):
                    if not self.state.live:
                        self.now = at
                case StageAttempt(task, attempt):
                    self.take(InputsStaged(at=self.now, task=task, attempt=attempt))
                case Move(artifact, source, _, target):
                    self.take(Moved(at=self.now, artifacts=(artifact,), source=source, target=target))
                case Discard(machine, digests):
                    self.take(ObjectsDiscarded(at=self.now, machine=machine, digests=digests))
                case BuildEnvironment(environment, number, machine):
                    self.take(BuildIntended(at=self.now, environment=environment, number=number, machine=machine))
                    self.take(EnvironmentBuilt(at=self.now, environment=environment, number=number, key=environment))
                case (
                    CancelAttempt()
                    | CancelBuild()
                    | DrainMachine()
                    | FindOffers()
                    | GiveUp()
                    | RefuseTasks()
                    | Rent()
                    | StartAgain()
                ):
                    pass
        return bool(actions)

    def live(self) -> list[str]:
        """Tasks with an attempt on the machine."""
        return list(self.state.live)

    def begin_one(self, name: str) -> None:
        """The machine starts the attempt of a task."""
        self.take(AttemptStarted(at=self.now, task=name, attempt=self.state.tasks[name].attempts))

    def end_one(self, name: str, outcome: Outcome | None = None, failure: FailureClass | None = None) -> None:
        """The attempt of a task ends: as told, or as planned in ``outcomes``, or well."""
        if outcome is None:
            planned = self.outcomes.get(name) or [(Exited(0), None)]
            outcome, failure = planned.pop(0) if len(planned) > 1 else planned[0]
        self.now += timedelta(seconds=1)
        started = self.now - timedelta(seconds=1)
        attempt = self.state.tasks[name].attempts
        self.ended_count[name] = self.ended_count.get(name, 0) + 1
        self.take(
            AttemptEnded(
                at=self.now,
                task=name,
                attempt=attempt,
                outcome=outcome,
                failure=failure,
                started_at=started,
                ended_at=self.now,
            )
        )

    def play(self, turns: int = 10_000) -> str:
        """Go on until the run has ended; attempts end one at a time, in a random order."""
        for _ in range(turns):
            if self.state.ended is not None:
                return self.state.ended
            self.turn()
            live = self.live()
            if live:
                self.end_one(self.random.choice(live))
        raise AssertionError(f"the run does not end: {self.state.phases}")
