"""A run under a virtual clock goes as a real one would, and the same each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.builtin.strategies import CriticalPath
from longshore.errors import RunError
from longshore.model.command import Shell
from longshore.model.quantity import parse_money
from longshore.model.resources import Resources
from longshore.model.task import OutputLines, Parameter, Reference, Task, TaskSpec
from longshore.model.workflow import PoolSpec, StrategySpec, WorkflowSpec
from longshore.scheduler.playing import play
from longshore.scheduler.virtual import Played, Stay, VirtualMachine, World
from longshore.testing import named_strategy

from .flows import shell, workflow


def machine(name: str = "m", cpus: float = 1, *, pool: str = "local", **more: object) -> VirtualMachine:
    return VirtualMachine(id=name, pool=pool, resources=Resources(cpus=cpus), **more)  # type: ignore[arg-type]  # sugar


def world(*machines: VirtualMachine, seconds: Mapping[str, float] | None = None, **more: object) -> World:
    known = seconds or {}

    def takes(task: Task) -> float:
        return known.get(task.id, known.get(task.spec.name, 10.0))

    return World(machines=machines or (machine(),), seconds=takes, **more)  # type: ignore[arg-type]  # sugar


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def needing(name: str, cpus: float, *reads: str) -> TaskSpec:
    return evolve(shell(name, *reads), needs=Resources(cpus=cpus))


def test_a_chain_takes_as_long_as_its_tasks_together() -> None:
    spec = workflow(shell("a"), shell("b", "a"), shell("c", "b"))

    played = play(spec, CriticalPath(), world(machine(cpus=8), seconds={"a": 1, "b": 20, "c": 300}))

    assert (played.state, played.makespan) == ("succeeded", after(321))
    assert played.attempts == (
        Stay("a", "m", after(0), after(1)),
        Stay("b", "m", after(1), after(21)),
        Stay("c", "m", after(21), after(321)),
    )


def test_independent_tasks_overlap_as_far_as_there_is_room() -> None:
    spec = workflow(*(shell(f"t{n}") for n in range(8)))

    assert play(spec, CriticalPath(), world(machine("a", 2), machine("b", 1))).makespan == after(30)
    assert play(evolve(spec, max_tasks=1), CriticalPath(), world(machine("a", 2), machine("b", 1))).makespan == after(
        80
    )
    assert play(spec, CriticalPath(), world(machine("a", 8, slots=4))).makespan == after(20)


def test_a_task_that_needs_no_cpu_starts_also_where_all_of_many_machines_are_full() -> None:
    spec = workflow(*(shell(f"t{n}") for n in range(12)), needing("first", 0), needing("light", 0, "first"))

    played = play(spec, CriticalPath(), world(*(machine(f"m{n}") for n in range(12)), seconds={"first": 1}))

    assert {stay.task: stay.begin for stay in played.attempts}["light"] == after(1)


def test_the_longest_path_goes_first_by_critical_path_and_not_by_first_fit() -> None:
    spec = workflow(shell("alone"), shell("a"), shell("b", "a"), shell("c", "b"))
    seconds = {"alone": 30}

    makespans = {
        name: play(
            evolve(spec, strategy=StrategySpec(name=name)), named_strategy(name), world(seconds=seconds)
        ).attempts[0]
        for name in ("critical-path", "first-fit")
    }

    assert [makespans["critical-path"].task, makespans["first-fit"].task] == ["a", "alone"]


def test_use_is_counted_in_cpus_and_seconds() -> None:
    spec = workflow(needing("wide", 3), needing("narrow", 1, "wide"))

    played = play(spec, CriticalPath(), world(machine(cpus=4), seconds={"wide": 60, "narrow": 40}))

    (use,) = played.machines
    assert (use.attempts, use.cpu_seconds, use.up) == (2, 220.0, after(100))
    assert use.utilisation == played.utilisation == 220 / 400
    assert use.cost is None
    assert played.costs == ()


def test_a_machine_with_a_price_is_paid_for_to_the_end() -> None:
    spec = workflow(shell("a"), shell("b", "a"))

    played = play(
        spec, CriticalPath(), world(machine(price_per_hour=parse_money("3.60 USD")), seconds={"a": 60, "b": 40})
    )

    assert played.costs == (parse_money("0.10 USD"),)


def test_what_is_up_to_date_takes_no_time() -> None:
    spec = workflow(shell("a"), shell("b", "a"))

    played = play(spec, CriticalPath(), world(up_to_date={"a"}))

    assert [stay.task for stay in played.attempts] == ["b"]


def made(name: str, source: str) -> TaskSpec:
    lines = OutputLines(Reference(task=source, member="", path="out"))
    return TaskSpec(name=name, command=Shell("true"), for_each=(Parameter("k", lines),))


def test_members_that_an_output_gives_are_those_that_are_known_else_one() -> None:
    spec = workflow(shell("list"), made("each", "list"))

    known = play(spec, CriticalPath(), world(members={"each": (("x", "y", "z"),)}))
    unknown = play(spec, CriticalPath(), world())

    assert [stay.task for stay in known.attempts] == ["list", "each[k=x]", "each[k=y]", "each[k=z]"]
    assert len(unknown.attempts) == 2


def test_a_pool_without_machines_is_said_and_does_not_hang() -> None:
    spec = WorkflowSpec(
        name="w", tasks=(evolve(shell("a"), pool="cloud"),), pools=(PoolSpec(name="local"), PoolSpec(name="cloud"))
    )

    with pytest.raises(RunError, match="a would wait for machines that never come"):
        play(spec, CriticalPath(), world())


def test_tasks_that_are_known_to_be_short_wait_on_the_machine_and_not_on_us() -> None:
    spec = workflow(*(shell(f"t{n}") for n in range(400)))

    played = play(spec, CriticalPath(), world(seconds={f"t{n}": 0.01 for n in range(400)}))

    assert played.makespan == after(4)
    assert no_machine_is_overfull(played, dict.fromkeys((f"t{n}" for n in range(400)), 1.0))


def no_machine_is_overfull(played: Played, cpus: Mapping[str, float]) -> bool:
    sizes = {use.machine.id: use.machine.resources.cpus for use in played.machines}
    changes: dict[str, list[tuple[timedelta, float]]] = defaultdict(list)
    for stay in played.attempts:
        changes[stay.machine] += [(stay.begin, cpus[stay.task]), (stay.end, -cpus[stay.task])]
    for name, steps in changes.items():
        used = 0.0
        for _, step in sorted(steps):  # at one moment those that end come first
            used += step
            if used > sizes[name] + 1e-6:
                return False
    return True


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.sampled_from([0.5, 1, 2, 3, 4]), st.integers(1, 40)), min_size=1, max_size=30),
    rooms=st.lists(st.sampled_from([4, 5, 8]), min_size=1, max_size=4),
    name=st.sampled_from(["cheapest", "critical-path", "first-fit", "random", "round-robin", "spread"]),
)
def test_whatever_the_strategy_no_machine_is_overfull_all_runs_and_it_goes_the_same_each_time(
    sizes: list[tuple[float, int]], rooms: list[int], name: str
) -> None:
    tasks = [needing(f"t{number}", cpus) for number, (cpus, _) in enumerate(sizes)]
    spec = evolve(workflow(*tasks), strategy=StrategySpec(name=name))
    machines = [machine(f"m{number}", cpus) for number, cpus in enumerate(rooms)]
    seconds = {f"t{number}": float(long) for number, (_, long) in enumerate(sizes)}

    first, second = (play(spec, named_strategy(name), world(*machines, seconds=seconds)) for _ in range(2))

    assert first == second
    assert sorted(stay.task for stay in first.attempts) == sorted(seconds)
    assert no_machine_is_overfull(first, {task.name: task.needs.cpus for task in tasks})
    assert max(seconds.values()) <= first.makespan.total_seconds() <= sum(seconds.values())
