"""Assignment strategies: what all of them promise, and what each is for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from attrs import evolve

from longshore.builtin.strategies import (
    Cheapest,
    CriticalPath,
    DataLocal,
    FirstFit,
    Random,
    RandomOptions,
    RoundRobin,
    Spread,
)
from longshore.builtin.strategies import longshore_strategies as announced
from longshore.model.artifact import Input
from longshore.model.quantity import parse_money
from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import AssignmentStrategy
from longshore.runtime.plugin_entries import BUILTIN
from longshore.testing import StrategyContract

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def machine(
    name: str,
    *,
    free: Resources,
    capacity: Resources | None = None,
    price: str | None = None,
) -> MachineView:
    return MachineView(
        id=name,
        pool="p",
        capacity=capacity or free,
        free=free,
        slots=1000,
        largest=capacity or free,
        price_per_hour=None if price is None else parse_money(price),
    )


def task(order: int, cpus: float = 1.0, *, priority: float = 0.0) -> TaskView:
    return TaskView(id=f"t{order}", name="t", needs=Resources(cpus=cpus), priority=priority, order=order)


def cpus(amount: float) -> Resources:
    return Resources(cpus=amount)


class TestCheapest(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return Cheapest()


class TestCriticalPath(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return CriticalPath()


class TestDataLocal(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return DataLocal()


class TestFirstFit(StrategyContract):
    urgent_first = False

    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return FirstFit()


class TestRandom(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return Random(RandomOptions())


class TestRoundRobin(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return RoundRobin()


class TestSpread(StrategyContract):
    @pytest.fixture
    def strategy(self) -> AssignmentStrategy:
        return Spread()


def test_critical_path_takes_the_most_urgent_task() -> None:
    waiting = [task(7, priority=5), task(1, priority=1)]

    assert CriticalPath().assign(waiting, [machine("m", free=cpus(1))], NOW) == [Assignment("t7", "m")]


def test_first_fit_goes_by_the_order_of_the_file() -> None:
    waiting = [task(7, priority=5), task(1, priority=1)]

    assert FirstFit().assign(waiting, [machine("m", free=cpus(1))], NOW) == [Assignment("t1", "m")]


def test_first_fit_fills_one_machine_before_the_next() -> None:
    machines = [machine("a", free=cpus(2)), machine("b", free=cpus(2))]

    assert [each.machine for each in FirstFit().assign([task(n) for n in range(3)], machines, NOW)] == ["a", "a", "b"]


def test_a_smaller_task_uses_the_room_that_a_larger_one_cannot() -> None:
    machines = [machine("m", free=cpus(2), capacity=cpus(4))]

    assert CriticalPath().assign([task(0, 4.0), task(1, 1.0)], machines, NOW) == [Assignment("t1", "m")]


def test_cheapest_fills_what_costs_nothing_then_what_costs_least() -> None:
    machines = [
        machine("dear", free=cpus(2), price="2.50 USD"),
        machine("cheap", free=cpus(1), price="0.10 USD"),
        machine("ours", free=cpus(1)),
    ]

    assignments = Cheapest().assign([task(n) for n in range(4)], machines, NOW)

    assert [each.machine for each in assignments] == ["ours", "cheap", "dear", "dear"]


def reading(order: int, **sizes: int) -> TaskView:
    inputs = tuple(Input(sha256=digest, size=size, origin="before") for digest, size in sizes.items())
    return evolve(task(order), inputs=inputs)


def test_data_local_sends_a_task_where_the_fewest_bytes_must_travel() -> None:
    machines = [
        evolve(machine("small", free=cpus(8)), has={"a", "b"}),
        evolve(machine("large", free=cpus(8)), has={"c"}),
    ]
    waiting = [reading(0, a=10, b=10, c=100), reading(1, a=10, b=10, c=15), reading(2, c=1)]

    chosen = {each.task: each.machine for each in DataLocal().assign(waiting, machines, NOW)}

    assert chosen == {"t0": "large", "t1": "small", "t2": "large"}


def test_data_local_lets_those_wait_among_equals_whose_data_would_have_to_travel() -> None:
    machines = [evolve(machine(name, free=cpus(1)), has={name}) for name in "ab"]

    chosen = DataLocal().assign([reading(0, a=10), reading(1, a=10), reading(2, b=10)], machines, NOW)

    assert {each.task: each.machine for each in chosen} == {"t0": "a", "t2": "b"}


def test_data_local_lets_no_urgent_task_wait_for_the_sake_of_data() -> None:
    machines = [evolve(machine(name, free=cpus(1)), has={name}) for name in "ab"]
    urgent = [evolve(reading(number, a=10), priority=1) for number in range(2)]

    chosen = DataLocal().assign([*urgent, reading(2, b=10)], machines, NOW)

    assert {each.task: each.machine for each in chosen} == {"t0": "a", "t1": "b"}


def test_data_local_takes_the_next_best_when_there_is_no_room_and_spreads_what_is_equal() -> None:
    machines = [evolve(machine(name, free=cpus(2)), has={name}) for name in "ab"] + [machine("all", free=cpus(1))]
    waiting = [reading(0, a=10), reading(1, a=10), reading(2, a=10), reading(3, b=5), task(4)]

    assert [each.machine for each in DataLocal().assign(waiting, machines, NOW)] == ["a", "a", "all", "b", "b"]


def test_spread_keeps_machines_of_all_sizes_equally_busy() -> None:
    machines = [machine("small", free=cpus(8)), machine("big", free=cpus(16))]

    assignments = Spread().assign([task(n) for n in range(12)], machines, NOW)

    assert Counter(each.machine for each in assignments) == {"small": 4, "big": 8}


def test_round_robin_gives_each_machine_its_turn() -> None:
    machines = [machine(name, free=cpus(2)) for name in "abc"]

    assignments = RoundRobin().assign([task(n) for n in range(6)], machines, NOW)

    assert [each.machine for each in assignments] == ["a", "b", "c", "a", "b", "c"]


def test_round_robin_goes_on_to_the_next_machine_with_room() -> None:
    machines = [machine("a", free=cpus(0.5)), machine("b", free=cpus(4))]

    assert RoundRobin().assign([task(0)], machines, NOW) == [Assignment("t0", "b")]


def test_random_depends_on_its_seed_alone() -> None:
    machines = [machine(f"m{n}", free=cpus(100)) for n in range(10)]
    waiting = [task(n) for n in range(100)]

    places = [Random(RandomOptions(seed=seed)).assign(waiting, machines, NOW) for seed in (1, 1, 2)]

    assert places[0] == places[1] != places[2]


def test_random_uses_all_machines_about_equally() -> None:
    machines = [machine(f"m{n}", free=cpus(1000)) for n in range(4)]

    used = Counter(
        each.machine for each in Random(RandomOptions()).assign([task(n) for n in range(1000)], machines, NOW)
    )

    assert all(180 < count < 320 for count in used.values())
    assert len(used) == 4


def test_what_is_announced_is_what_the_registry_knows_without_importing_it() -> None:
    known = {entry.name for entry in BUILTIN if entry.role == "strategy"}

    assert {record.name for record in announced()} == known
