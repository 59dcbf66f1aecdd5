"""What the strategy is for: it starts more than a greedy one where sizes differ, and never less."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.errors import ConfigError
from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import AssignmentStrategy
from longshore.testing import named_strategy
from longshore_knapsack import Knapsack, Options
from longshore_knapsack.kinds import worths

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def machine(name: str, free: Resources, *, slots: int = 1000) -> MachineView:
    return MachineView(id=name, pool="p", capacity=free, free=free, slots=slots, largest=free)


def task(order: int, needs: Resources, *, priority: float = 0.0) -> TaskView:
    return TaskView(id=f"t{order}", name="t", needs=needs, priority=priority, order=order)


def cpus(*amounts: float) -> list[TaskView]:
    return [task(order, Resources(cpus=amount)) for order, amount in enumerate(amounts)]


def started(chosen: Sequence[Assignment]) -> set[str]:
    return {each.task for each in chosen}


def test_two_tasks_that_fill_a_machine_go_before_one_that_wastes_it() -> None:
    chosen = Knapsack(Options()).assign(cpus(6, 5, 5), [machine("m", Resources(cpus=10))], NOW)

    assert started(chosen) == {"t1", "t2"}


def test_all_resources_count_at_once() -> None:
    waiting = [
        task(0, Resources(cpus=3, gpus=1)),
        task(1, Resources(cpus=2, gpus=2, memory_bytes=60)),
        task(2, Resources(cpus=2, memory_bytes=30)),
        task(3, Resources(cpus=4, memory_bytes=10, disk_bytes=5)),
        task(4, Resources(cpus=4, memory_bytes=10, disk_bytes=5)),
    ]
    machines = [
        machine("a", Resources(cpus=4, gpus=2, memory_bytes=90)),
        machine("b", Resources(cpus=4, memory_bytes=10, disk_bytes=5)),
    ]

    chosen = Knapsack(Options()).assign(waiting, machines, NOW)

    assert started(chosen) in ({"t1", "t2", "t3"}, {"t1", "t2", "t4"})


def test_slots_are_a_limit_like_any_other() -> None:
    chosen = Knapsack(Options()).assign(cpus(1, 1, 4, 4), [machine("m", Resources(cpus=16), slots=2)], NOW)

    assert started(chosen) == {"t2", "t3"}


def test_of_two_that_cannot_both_start_the_more_urgent_does() -> None:
    waiting = [
        task(0, Resources(cpus=5), priority=2),
        task(1, Resources(cpus=6), priority=1),
        task(2, Resources(cpus=4), priority=1),
    ]

    chosen = Knapsack(Options()).assign(waiting, [machine("m", Resources(cpus=6))], NOW)

    assert started(chosen) == {"t0"}


def test_when_all_can_start_the_machines_are_about_equally_busy() -> None:
    machines = [machine("small", Resources(cpus=8)), machine("big", Resources(cpus=16))]

    chosen = Knapsack(Options()).assign(cpus(*[1] * 12), machines, NOW)

    assert [sum(each.machine == name for each in chosen) for name in ("small", "big")] == [4, 8]


needs = st.builds(
    Resources,
    cpus=st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.0, 3.0, 5.0, 7.0]),
    memory_bytes=st.sampled_from([0, 3, 5, 8]),
    gpus=st.integers(0, 1),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.tuples(needs, st.integers(0, 3)), min_size=1, max_size=25),
    rooms=st.lists(needs, min_size=1, max_size=4),
    seed=st.integers(0, 3),
)
def test_what_is_started_is_never_worth_less_than_what_first_fit_starts(
    sizes: list[tuple[Resources, int]], rooms: list[Resources], seed: int
) -> None:
    sizes.sort(key=lambda size: -size[1])
    waiting = [task(order, each, priority=priority) for order, (each, priority) in enumerate(sizes)]
    machines = [machine(f"m{number}", free) for number, free in enumerate(rooms)]
    worth = worths(waiting, machines)

    def total(strategy: AssignmentStrategy) -> int:
        return sum(worth[each.task] for each in strategy.assign(waiting, machines, NOW))

    mine = total(Knapsack(Options(seconds=0.01, seed=seed)))

    assert mine >= max(total(named_strategy("first-fit")), total(named_strategy("critical-path")))


def test_more_kinds_and_machines_than_can_be_weighed_in_the_time_are_no_obstacle() -> None:
    waiting = [task(order, Resources(cpus=1 + order / 100)) for order in range(400)]
    machines = [machine(f"m{number}", Resources(cpus=9.5)) for number in range(40)]

    chosen = Knapsack(Options(seconds=0.001)).assign(waiting, machines, NOW)

    assert len(chosen) > 100


def test_the_solver_is_imported_only_when_there_is_something_to_weigh() -> None:
    program = """
import sys
from datetime import UTC, datetime
from longshore.model.resources import Resources
from longshore.model.views import MachineView, TaskView
from longshore.testing import named_strategy

room = Resources(cpus=2)
machines = [MachineView(id="m", pool="p", capacity=room, free=room, slots=9, largest=room)]
waiting = [TaskView(id=f"t{n}", name="t", needs=Resources(cpus=1), priority=0, order=n) for n in range(5)]
assert len(named_strategy("knapsack").assign(waiting, machines, datetime.now(UTC))) == 2
assert "ortools" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@pytest.mark.parametrize(
    ("options", "key", "says"),
    [
        ({"seconds": 0}, "strategy.seconds", "> 0"),
        ({"seconds": "1 s"}, "strategy.seconds", "a number is wanted"),
        ({"seed": -1}, "strategy.seed", ">= 0"),
        ({"second": 1}, "strategy.second", "no such option"),
    ],
)
def test_wrong_options_are_refused_with_their_keys(options: dict[str, object], key: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        named_strategy("knapsack", options)

    (problem,) = raised.value.problems
    assert problem.key == key
    assert says in problem.message
