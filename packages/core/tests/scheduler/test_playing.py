"""Played runs rent and give back machines, and move data, as real ones decide to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from attrs import evolve

from longshore.builtin.strategies import CriticalPath, DataLocal
from longshore.model.artifact import Artifact
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import parse_money
from longshore.model.rented import MachineKind, RentedPool, WhenIdle
from longshore.model.resources import Resources
from longshore.model.task import Task, TaskSpec
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.scheduler.playing import play
from longshore.scheduler.virtual import Played, VirtualMachine, World

from .flows import shell

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LARGE = Offer(
    type="large",
    region="r",
    resources=Resources(cpus=4, memory_bytes=8 * 2**30),
    price=Price(per_hour=parse_money("0.60 USD"), source="list", at=NOW),
)


def cloud(*tasks: TaskSpec, most: int = 3, least: int = 0, **more: object) -> WorkflowSpec:
    kinds = (MachineKind(needs=Needs(), least=least, most=most),)
    pool = PoolSpec(name="cloud", provider="p", rented=RentedPool(kinds=kinds, **more))  # type: ignore[arg-type]  # sugar
    return WorkflowSpec(name="w", tasks=tuple(evolve(task, pool="cloud") for task in tasks), pools=(pool,))


def rent(spec: WorkflowSpec, seconds: Mapping[str, float] | None = None) -> Played:
    known = seconds or {}
    world = World(
        seconds=lambda task: known.get(task.id, 600.0), offers=lambda pool, largest: ((LARGE,),), boot=2 * MINUTE
    )
    return play(spec, CriticalPath(), world)


def wide(count: int) -> list[TaskSpec]:
    return [evolve(shell(f"t{number}"), needs=Resources(cpus=4)) for number in range(count)]


def test_a_pool_rents_as_many_machines_as_it_may_and_they_work_when_they_are_up() -> None:
    played = rent(cloud(*wide(6)))

    assert (played.state, played.makespan) == ("succeeded", 22 * MINUTE)
    assert {stay.begin for stay in played.attempts} == {2 * MINUTE, 12 * MINUTE}
    assert [(use.machine.id, use.attempts, use.up) for use in played.machines] == [
        (f"cloud-{number}", 2, 22 * MINUTE) for number in (1, 2, 3)
    ]
    assert played.costs == (parse_money("0.66 USD"),)


def test_a_machine_that_is_idle_is_given_back_and_paid_for_until_then() -> None:
    spec = cloud(*wide(2), idle=5 * MINUTE)

    played = rent(spec, {"t0": 60, "t1": 3600})

    assert [use.up for use in played.machines] == [8 * MINUTE, 62 * MINUTE]
    assert played.machines[0].cost == parse_money("0.08 USD")


def test_what_is_idle_is_stopped_or_kept_if_the_pool_says_so() -> None:
    stopped = rent(cloud(*wide(2), idle=5 * MINUTE, when_idle=WhenIdle.STOP), {"t0": 60, "t1": 3600})
    kept = rent(cloud(*wide(2), idle=5 * MINUTE, when_idle=WhenIdle.KEEP), {"t0": 60, "t1": 3600})

    assert [use.up for use in stopped.machines] == [8 * MINUTE, 62 * MINUTE]
    assert [use.up for use in kept.machines] == [62 * MINUTE, 62 * MINUTE]


def test_a_stopped_machine_is_started_again_when_it_is_needed() -> None:
    first, second, third, fourth = wide(4)
    late = (evolve(third, after=("t0", "t1")), evolve(fourth, after=("t0", "t1")))
    spec = cloud(first, second, *late, idle=MINUTE, most=2, when_idle=WhenIdle.STOP)

    played = rent(spec, {"t0": 60, "t1": 1200})

    assert [use.attempts for use in played.machines] == [2, 2]
    assert [use.up for use in played.machines] == [(2 + 1 + 1 + 2 + 10) * MINUTE, 33 * MINUTE]


def test_a_budget_bounds_how_much_is_rented() -> None:
    spec = cloud(*wide(4), max_cost=parse_money("0.70 USD"), lifetime=timedelta(hours=1))

    played = rent(spec)

    assert played.state == "succeeded"
    assert [use.machine.id for use in played.machines] == ["cloud-1"]
    assert sum(cost.amount for cost in played.costs) <= parse_money("0.70 USD").amount


def test_a_task_that_no_machine_for_rent_takes_is_refused_with_the_reason() -> None:
    played = rent(cloud(evolve(shell("giant"), needs=Resources(cpus=64)), shell("small")))

    assert played.state == "failed"
    assert [stay.task for stay in played.attempts] == ["small"]
    assert len(played.refusals) == 1


def test_a_machine_at_the_end_of_its_life_is_replaced_and_what_it_ran_runs_again() -> None:
    spec = cloud(*wide(1), most=1, lifetime=timedelta(minutes=30))

    played = rent(evolve(spec, tasks=(evolve(spec.tasks[0], name="short"),)), {"short": 25 * 60})

    assert [(stay.task, stay.machine) for stay in played.attempts] == [("short", "cloud-1")]


def artifact(name: str, size: int) -> Artifact:
    return Artifact(path="out", sha256=sha256(name.encode()).hexdigest(), size=size)


def hosts(*names: str, store: bool = True) -> tuple[VirtualMachine, ...]:
    return tuple(
        VirtualMachine(id=name, pool="local", resources=Resources(cpus=1), store=name if store else "")
        for name in names
    )


def moving(
    *tasks: TaskSpec, machines: tuple[VirtualMachine, ...], sizes: Mapping[str, int], bandwidth: float | None = 100.0
) -> World:
    def outputs(task: Task) -> tuple[Artifact, ...]:
        return (artifact(task.id, sizes[task.id]),) if task.id in sizes else ()

    return World(machines=machines, seconds=lambda task: 10.0, outputs=outputs, bandwidth=bandwidth)


def test_what_another_machine_wrote_travels_once() -> None:
    tasks = (shell("a"), shell("b"), shell("both", "a", "b"))
    world = moving(*tasks, machines=hosts("x", "y"), sizes={"a": 1000, "b": 500})

    played = play(WorkflowSpec(name="w", tasks=tasks), CriticalPath(), world)

    (last,) = [stay for stay in played.attempts if stay.task == "both"]
    assert last.machine == "x"  # the first with room: it has what a wrote, and b's 500 bytes travel
    assert last.begin == timedelta(seconds=10 + 5)
    assert played.moved_bytes == 500


def test_where_files_are_shared_nothing_travels() -> None:
    tasks = (shell("a"), shell("b"), shell("both", "a", "b"))
    world = moving(*tasks, machines=hosts("x", "y", store=False), sizes={"a": 1000, "b": 500})

    played = play(WorkflowSpec(name="w", tasks=tasks), CriticalPath(), world)

    assert (played.makespan, played.moved_bytes) == (timedelta(seconds=20), 0)


@pytest.mark.parametrize("bandwidth", [100.0, None])
def test_data_local_moves_less_than_the_first_machine_with_room(bandwidth: float | None) -> None:
    tasks = [shell("w0"), shell("w1"), *(shell(f"r{number}", f"w{1 - number % 2}") for number in range(6))]
    spec = WorkflowSpec(name="w", tasks=tuple(tasks))
    world = moving(*tasks, machines=hosts("x", "y"), sizes={"w0": 1000, "w1": 1000}, bandwidth=bandwidth)

    first, local = (play(spec, strategy, world) for strategy in (CriticalPath(), DataLocal()))

    assert local.moved_bytes == 0
    assert first.moved_bytes >= 2000
    assert local.makespan <= first.makespan
