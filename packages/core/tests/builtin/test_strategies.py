"""Assignment strategies: what all of them promise, and what each is for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.builtin.strategies import CriticalPath, FirstFit, Random, RandomOptions, RoundRobin, Spread
from longshore.builtin.strategies import longshore_strategies as announced
from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import AssignmentStrategy
from longshore.runtime.plugin_entries import BUILTIN

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALL: Mapping[str, AssignmentStrategy] = MappingProxyType(
    {record.name: record.factory(record.config()) for record in announced()}
)

amounts = st.builds(
    Resources,
    cpus=st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 16.0]),
    memory_bytes=st.sampled_from([0, 1, 5, 100]),
    gpus=st.integers(0, 2),
    disk_bytes=st.integers(0, 3),
)


@st.composite
def waiting_tasks(draw: st.DrawFn) -> list[TaskView]:
    shared = draw(st.lists(amounts, min_size=1, max_size=4))
    needs = draw(st.lists(st.sampled_from(shared), max_size=40))
    priorities = sorted((draw(st.integers(0, 5)) for _ in needs), reverse=True)
    return [
        TaskView(id=f"t{order}", name="t", needs=need, priority=priority, order=order)
        for order, (need, priority) in enumerate(zip(needs, priorities, strict=True))
    ]


@st.composite
def some_machines(draw: st.DrawFn) -> list[MachineView]:
    return [
        machine(f"m{number}", free=draw(amounts), largest=draw(amounts), slots=draw(st.integers(0, 6)))
        for number in range(draw(st.integers(0, 5)))
    ]


def machine(
    name: str,
    *,
    free: Resources,
    largest: Resources | None = None,
    slots: int = 1000,
    capacity: Resources | None = None,
) -> MachineView:
    return MachineView(
        id=name, pool="p", capacity=capacity or free, free=free, slots=slots, largest=largest or capacity or free
    )


def task(order: int, cpus: float = 1.0, *, priority: float = 0.0) -> TaskView:
    return TaskView(id=f"t{order}", name="t", needs=Resources(cpus=cpus), priority=priority, order=order)


def cpus(amount: float) -> Resources:
    return Resources(cpus=amount)


@pytest.mark.parametrize("name", ALL)
@given(waiting=waiting_tasks(), machines=some_machines())
def test_no_machine_is_given_more_than_fits(
    name: str, waiting: Sequence[TaskView], machines: Sequence[MachineView]
) -> None:
    assignments = ALL[name].assign(waiting, machines, NOW)

    by_task = {view.id: view for view in waiting}
    assert len({assignment.task for assignment in assignments}) == len(assignments)
    for view in machines:
        given_to_it = [by_task[each.task].needs for each in assignments if each.machine == view.id]
        assert len(given_to_it) <= view.slots
        total = Resources(
            cpus=sum(needs.cpus for needs in given_to_it),
            memory_bytes=sum(needs.memory_bytes for needs in given_to_it),
            gpus=sum(needs.gpus for needs in given_to_it),
            disk_bytes=sum(needs.disk_bytes for needs in given_to_it),
        )
        assert total.fits(view.free)
        assert all(needs.fits(view.largest) for needs in given_to_it)


@pytest.mark.parametrize("name", ALL)
@given(waiting=waiting_tasks(), machines=some_machines())
def test_nothing_waits_that_would_fit(name: str, waiting: Sequence[TaskView], machines: Sequence[MachineView]) -> None:
    assignments = ALL[name].assign(waiting, machines, NOW)

    chosen = {each.task: each.machine for each in assignments}
    left = {view.id: view.free for view in machines}
    slots = {view.id: view.slots for view in machines}
    for view in waiting:
        if view.id in chosen:
            left[chosen[view.id]] -= view.needs
            slots[chosen[view.id]] -= 1
    for view in waiting:
        if view.id not in chosen:
            assert not any(
                slots[each.id] > 0 and view.needs.fits(left[each.id]) and view.needs.fits(each.largest)
                for each in machines
            )


@pytest.mark.parametrize("name", ALL)
@given(waiting=waiting_tasks(), machines=some_machines())
def test_equal_input_gives_equal_output(
    name: str, waiting: Sequence[TaskView], machines: Sequence[MachineView]
) -> None:
    assert ALL[name].assign(waiting, machines, NOW) == ALL[name].assign(list(waiting), list(machines), NOW)


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
