"""When machines are asked for environments, and what becomes of tasks meanwhile: the pure decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.builtin.strategies import CriticalPath
from longshore.model.command import Shell
from longshore.model.environment import EnvironmentSpec
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    CancelAsked,
    Event,
    Identified,
    MachineAdded,
    MachineGone,
    RetryAsked,
    RunContinued,
    StopAsked,
    TasksIdentified,
)
from longshore.model.lease_events import TasksRefused
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.actions import Action, EndRun, Identify, StartAttempt, WakeAt
from longshore.scheduler.apply import apply
from longshore.scheduler.away_actions import BuildEnvironment, CancelBuild
from longshore.scheduler.build_state import BuildPhase
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.environments import BUILD_ATTEMPTS, HOPELESS_MACHINES
from longshore.scheduler.renting_actions import RefuseTasks
from longshore.scheduler.state import TaskPhase

AT = datetime(2030, 1, 1, tzinfo=UTC)


class Game:
    """A run in which nothing happens but what a test says, and what follows from decisions at once."""

    def __init__(self, *tasks: TaskSpec, machines: int = 1) -> None:
        names = {task.environment for task in tasks if task.environment}
        environments = tuple(EnvironmentSpec(name=name, python="3.11") for name in sorted(names))
        self.state = begin(WorkflowSpec(name="w", tasks=tasks, environments=environments))
        self.now = AT
        self.take(RunContinued(at=AT, fence=1))
        for number in range(machines):
            self.add(f"m{number}")

    def add(self, machine: str) -> None:
        self.take(MachineAdded(at=self.now, machine=machine, pool="local", resources=Resources(cpus=2)))

    def take(self, event: Event) -> None:
        apply(self.state, event)

    def decided(self) -> Sequence[Action]:
        return decide(self.state, CriticalPath(), self.now)

    def settle(self) -> list[Action]:
        """Write down what is decided until nothing more is; give all that was."""
        found: list[Action] = []
        while True:
            before = len(found)
            for action in self.decided():
                match action:
                    case Identify(tasks):
                        self.take(
                            TasksIdentified(at=self.now, items=tuple(Identified(task=t, identity=t) for t in tasks))
                        )
                    case BuildEnvironment(environment, number, machine):
                        self.take(BuildIntended(at=self.now, environment=environment, number=number, machine=machine))
                    case StartAttempt(task, attempt, machine):
                        self.take(AttemptIntended(at=self.now, task=task, attempt=attempt, machine=machine))
                    case RefuseTasks(names, reason, failure):
                        self.take(TasksRefused(at=self.now, tasks=names, reason=reason, failure=failure))
                    case _:
                        continue
                found.append(action)
            if len(found) == before:
                return found

    def built(self, number: int = 1, environment: str = "sci") -> None:
        self.take(EnvironmentBuilt(at=self.now, environment=environment, number=number, key="k"))

    def failed(self, number: int = 1, failure: FailureClass | None = FailureClass.ENVIRONMENT) -> None:
        self.take(
            EnvironmentFailed(
                at=self.now, environment="sci", number=number, failure=failure, evidence="prepare.sh line 3: false"
            )
        )

    def phase(self, task: str) -> TaskPhase:
        return self.state.tasks[task].phase

    def starts(self, actions: Sequence[Action]) -> set[str]:
        return {action.task for action in actions if isinstance(action, StartAttempt)}


def task(name: str, environment: str | None = "sci", **words: object) -> TaskSpec:
    return TaskSpec(name=name, command=Shell("true"), environment=environment, **words)  # type: ignore[arg-type]  # sugar


def builds(actions: Sequence[Action]) -> list[BuildEnvironment]:
    return [action for action in actions if isinstance(action, BuildEnvironment)]


def test_a_task_waits_for_its_environment_and_others_go_on() -> None:
    game = Game(task("a"), task("b"), task("c"), task("plain", None), task("other", None))

    first = game.settle()

    assert builds(first) == [BuildEnvironment("sci", 1, "m0")]
    assert game.starts(first) == {"plain", "other"}
    assert [game.phase(name) for name in "abc"] == [TaskPhase.BUILDING] * 3
    assert game.state.phases[TaskPhase.BUILDING] == 3


def test_what_was_built_is_used_by_all_and_asked_for_once() -> None:
    game = Game(task("a"), task("b"), task("c"))
    game.settle()

    game.built()

    after = game.settle()
    assert builds(after) == []
    assert game.starts(after) == {"a", "b"}
    assert game.phase("c") is TaskPhase.WAITING


def test_a_task_is_given_to_no_machine_without_its_environment() -> None:
    game = Game(task("a"), *(task(f"b{number}") for number in range(9)), machines=3)
    asked = builds(game.settle())
    assert {each.machine for each in asked} == {"m0", "m1", "m2"}

    game.built(asked[1].number)

    started = [action for action in game.settle() if isinstance(action, StartAttempt)]
    assert {action.machine for action in started} == {asked[1].machine}


def test_no_more_machines_are_asked_than_the_waiting_tasks_can_use() -> None:
    game = Game(task("a"), task("b"), task("c"), machines=5)

    assert len(builds(game.settle())) == 2


def test_a_build_that_fails_is_tried_once_more_and_then_fails_those_that_need_it_alone() -> None:
    game = Game(task("a"), task("b", after=("a",)), task("plain", None))
    game.settle()
    for number in range(1, BUILD_ATTEMPTS + 1):
        game.failed(number)
        game.settle()

    assert game.phase("a") is TaskPhase.FAILED
    assert game.phase("b") is TaskPhase.SKIPPED
    assert game.phase("plain") is TaskPhase.QUEUED
    assert game.state.tasks["a"].failure is FailureClass.ENVIRONMENT
    assert game.state.build_numbers["sci"] == BUILD_ATTEMPTS


def test_what_fails_on_one_machine_is_tried_on_another_one_but_not_on_all() -> None:
    game = Game(task("a"), machines=HOPELESS_MACHINES + 2)
    asked = builds(game.settle())
    for number in range(1, BUILD_ATTEMPTS * HOPELESS_MACHINES + 1):
        game.failed(number)
        asked += builds(game.settle())

    assert [each.machine for each in asked] == ["m0", "m0", "m1", "m1"]
    assert game.phase("a") is TaskPhase.FAILED


def test_one_machine_that_can_build_it_is_enough() -> None:
    game = Game(task("a"), machines=2)
    game.settle()
    for number in range(1, BUILD_ATTEMPTS + 1):
        game.failed(number)
        game.settle()

    game.built(BUILD_ATTEMPTS + 1)

    assert [each.machine for each in game.settle() if isinstance(each, StartAttempt)] == ["m1"]


def test_a_build_that_nobody_began_or_that_was_cancelled_counts_as_none() -> None:
    game = Game(task("a"))
    game.settle()
    for number in range(1, 6):
        game.failed(number, failure=None)
        assert builds(game.settle()) == [BuildEnvironment("sci", number + 1, "m0")]


def test_a_retry_gives_an_environment_a_fresh_budget() -> None:
    game = Game(task("a"))
    game.settle()
    for number in range(1, BUILD_ATTEMPTS + 1):
        game.failed(number)
        game.settle()
    assert game.phase("a") is TaskPhase.FAILED

    game.take(RetryAsked(at=game.now, tasks=("a",)))

    assert builds(game.settle()) == [BuildEnvironment("sci", BUILD_ATTEMPTS + 1, "m0")]


def test_a_machine_that_goes_takes_its_environments_along() -> None:
    game = Game(task("a"), task("b"), task("c"), task("d"), machines=1)
    game.settle()
    game.take(MachineGone(at=game.now, machine="m0", reason="gone"))
    assert game.phase("a") is TaskPhase.WAITING

    game.add("m1")

    assert builds(game.settle()) == [BuildEnvironment("sci", 2, "m1")]
    game.built(1)  # from the machine that is gone
    assert game.starts(game.settle()) == set()


def test_a_new_controller_asks_again_for_all_but_what_is_being_built() -> None:
    game = Game(task("a"), task("b", "other"))
    game.settle()
    game.built(1, "other")

    game.take(RunContinued(at=game.now, fence=2))
    game.add("m0")

    assert builds(game.settle()) == [BuildEnvironment("other", 2, "m0")]
    assert game.state.builds["m0", "sci"].phase is BuildPhase.BUILDING


def test_an_attempt_that_misses_its_environment_does_not_count_and_it_is_asked_for_again() -> None:
    game = Game(task("a"))
    game.settle()
    game.built()
    game.settle()

    game.take(
        AttemptEnded(at=game.now, task="a", attempt=1, outcome=Lost("not here"), failure=FailureClass.ENVIRONMENT)
    )

    assert builds(game.settle()) == [BuildEnvironment("sci", 2, "m0")]
    assert game.phase("a") is TaskPhase.BUILDING
    assert not game.state.tasks["a"].failures


def test_a_cancelled_run_ends_what_is_being_built_before_it_ends() -> None:
    game = Game(task("a"))
    game.settle()

    game.take(CancelAsked(at=game.now))

    assert list(game.decided()) == [CancelBuild("sci", 1, "m0")]
    game.failed(failure=None)
    assert list(game.decided()) == [EndRun("cancelled")]


def test_a_run_that_is_interrupted_leaves_a_build_to_the_machine() -> None:
    game = Game(task("a"))
    game.settle()

    game.take(StopAsked(at=game.now))

    assert list(game.decided()) == [EndRun("interrupted")]


def test_the_second_try_waits_when_it_is_not_the_first_of_its_kind() -> None:
    game = Game(task("a"))
    game.settle()
    game.failed()
    build = game.state.builds["m0", "sci"]
    build.again_at = game.now + timedelta(seconds=4)

    assert WakeAt(game.now + timedelta(seconds=4)) in game.decided()
    assert builds(game.decided()) == []


MOVES = st.lists(
    st.tuples(st.sampled_from(["built", "failed", "none", "end", "gone", "add", "continue"]), st.integers(0, 5))
)


@given(MOVES, st.integers(1, 3))
def test_whatever_happens_attempts_are_on_machines_that_have_their_environment(
    moves: list[tuple[str, int]], machines: int
) -> None:
    specs = [task(f"t{number}", [None, "sci", "other"][number % 3]) for number in range(6)]
    game = Game(*specs, machines=machines)
    for kind, which in moves:
        for action in game.settle():
            if isinstance(action, StartAttempt):
                environment = game.state.tasks[action.task].task.spec.environment
                assert environment is None or game.state.builds[action.machine, environment].phase is BuildPhase.BUILT
        under = list(game.state.under_construction)
        live = list(game.state.live)
        if kind in {"built", "failed", "none"} and under:
            environment, number = under[which % len(under)]
            if kind == "built":
                game.built(number, environment)
            else:
                failure = FailureClass.ENVIRONMENT if kind == "failed" else None
                game.take(EnvironmentFailed(at=AT, environment=environment, number=number, failure=failure))
        elif kind == "end" and live:
            name = live[which % len(live)]
            attempt = game.state.tasks[name].attempts
            game.take(AttemptEnded(at=AT, task=name, attempt=attempt, outcome=Exited(0)))
        elif kind == "gone" and f"m{which}" in game.state.machines:
            game.take(MachineGone(at=AT, machine=f"m{which}", reason="gone"))
        elif kind == "continue":
            game.take(RunContinued(at=AT, fence=game.state.fence + 1))
            for name in [each.id for each in game.state.machines.values() if not each.gone]:
                game.add(name)
        elif kind == "add" and (f"m{which}" not in game.state.machines or game.state.machines[f"m{which}"].gone):
            game.add(f"m{which}")
        shown = [name for name, each in game.state.tasks.items() if each.phase is TaskPhase.BUILDING]
        assert game.state.phases[TaskPhase.BUILDING] == len(shown)
        if shown:
            assert game.state.under_construction
        for machine in game.state.machines.values():
            on_it = sum(game.state.tasks[name].machine == machine.id for name in game.state.live)
            building = sum(where == machine.id for where in game.state.under_construction.values())
            assert machine.gone or machine.attempts == on_it + building


@pytest.mark.parametrize("tasks", [1, 1000])
def test_a_run_without_environments_is_asked_nothing_about_them(tasks: int) -> None:
    game = Game(*(task(f"t{number}", None) for number in range(tasks)))

    assert builds(game.settle()) == []
    assert not game.state.builds
