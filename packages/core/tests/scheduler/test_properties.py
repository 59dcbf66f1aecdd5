"""What holds for every run: random graphs, random outcomes, random orders."""

from __future__ import annotations

import random

import pytest
from attrs import asdict
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.builtin.strategies import CriticalPath
from longshore.model.events import AttemptEnded, AttemptIntended, Event, MachineAdded
from longshore.model.outcome import Exited, FailureClass, Outcome
from longshore.model.quantity import parse_money
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import TaskSpec
from longshore.runtime.codec import decode, encode
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.graph import producers
from longshore.scheduler.state import ENDED, RunState, TaskPhase
from longshore.testing import EPOCH, Simulation

from .flows import BROKEN, FINE, LOST, shell, workflow


@st.composite
def graphs(draw: st.DrawFn) -> list[TaskSpec]:
    count = draw(st.integers(1, 9))
    specs = []
    for index in range(count):
        read = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        cpus = draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))
        retry = RetryPolicy(attempts=draw(st.integers(1, 3)))
        specs.append(shell(f"t{index}", *(f"t{i}" for i in sorted(read)), needs=Resources(cpus=cpus), retry=retry))
    return draw(st.permutations(specs))


outcomes = st.lists(st.sampled_from([FINE, FINE, BROKEN, LOST]), min_size=1, max_size=4)


def snapshot(state: RunState) -> dict[str, object]:
    tasks = {
        name: asdict(task, recurse=False, filter=lambda attribute, _: attribute.name not in {"task", "view"})
        for name, task in state.tasks.items()
    }
    return {
        "tasks": tasks,
        "ready": {pool: [view.id for view in queue] for pool, queue in state.ready.items()},
        "unidentified": list(state.unidentified),
        "delayed": state.delayed,
        "machines": {name: asdict(machine) for name, machine in state.machines.items()},
        "phases": {phase: count for phase, count in state.phases.items() if count},
        "live": list(state.live),
        "ended": state.ended,
        "stopping": state.stopping,
    }


@settings(max_examples=150, deadline=None)
@given(specs=graphs(), plan=st.dictionaries(st.integers(0, 8), outcomes), seed=st.integers(0, 2**16))
def test_every_run_keeps_its_promises(
    specs: list[TaskSpec], plan: dict[int, list[tuple[Outcome, FailureClass | None]]], seed: int
) -> None:
    run = Simulation(workflow(*specs), cpus=2, seed=seed)
    run.outcomes = {f"t{index}": list(chosen) for index, chosen in plan.items()}
    waits = {spec.name: producers(spec) for spec in specs}
    rng = random.Random(seed)

    for _ in range(2_000):
        if run.state.ended is not None:
            break
        run.turn()
        used = sum(run.state.tasks[name].view.needs.cpus for name in run.live())
        assert used <= 2, "never more in use than there is"
        for name in run.live():
            assert all(run.state.tasks[read].phase is TaskPhase.SUCCEEDED for read in waits[name]), (
                "nothing starts before its inputs are there"
            )
        if run.live():
            run.end_one(rng.choice(run.live()))
    assert run.state.ended in {"succeeded", "failed"}
    assert all(task.phase in ENDED for task in run.state.tasks.values())
    successes = [e.task for e in run.history if isinstance(e, AttemptEnded) and e.outcome == Exited(0)]
    assert len(successes) == len(set(successes)), "each task succeeds at most once"
    intents = [(e.task, e.attempt) for e in run.history if isinstance(e, AttemptIntended)]
    assert len(intents) == len(set(intents)), "no attempt is intended twice"

    replayed = begin(run.spec)
    for event in run.history:
        apply(replayed, through_the_journal(event))
    assert snapshot(replayed) == snapshot(run.state), "state == fold(apply, journal)"


def through_the_journal(event: Event) -> Event:
    copy = decode(*encode(event))
    assert copy == event
    return copy


@pytest.mark.parametrize("price", [None, "0.0042 USD", "12 EUR"])
def test_a_machine_comes_back_from_the_journal_with_what_it_costs(price: str | None) -> None:
    through_the_journal(
        MachineAdded(
            at=EPOCH,
            machine="m",
            pool="p",
            resources=Resources(cpus=2),
            price_per_hour=None if price is None else parse_money(price),
        )
    )


@settings(max_examples=50, deadline=None)
@given(specs=graphs(), seed=st.integers(0, 2**16))
def test_deciding_changes_nothing_and_repeats_itself(specs: list[TaskSpec], seed: int) -> None:
    run = Simulation(workflow(*specs), cpus=2, seed=seed)
    run.turn()
    before = snapshot(run.state)

    first = decide(run.state, CriticalPath(), run.now)
    second = decide(run.state, CriticalPath(), run.now)

    assert first == second
    assert snapshot(run.state) == before
