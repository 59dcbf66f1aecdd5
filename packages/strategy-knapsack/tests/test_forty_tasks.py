"""Forty tasks of 1 to 8 cores on machines of 16, 16 and 8 cores."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore import Assumptions, ConfigError, VirtualMachine, Workflow, simulate
from longshore.model.resources import Resources
from longshore.model.workflow import StrategySpec

MACHINES = [
    VirtualMachine(id=name, pool="local", resources=Resources(cpus=cpus))
    for name, cpus in (("big", 16), ("other", 16), ("small", 8))
]
CORES = {f"task{number}": 1 + (number * 5) % 8 for number in range(40)}
SECONDS = {name: 600.0 + (number * 37) % 300 for number, name in enumerate(CORES)}


def forty(tmp_path: Path, **more: float) -> Workflow:
    workflow = Workflow("forty", strategy="knapsack")
    for name, cores in {**CORES, **more}.items():
        workflow.shell(name, "true", needs={"cpus": cores})
    return workflow


def assume() -> Assumptions:
    return Assumptions(machines=MACHINES, durations=SECONDS)


def test_they_overlap_no_machine_is_overfull_and_all_are_about_equally_busy(tmp_path: Path) -> None:
    (played,) = simulate(forty(tmp_path).spec(tmp_path), tmp_path, assumptions=assume()).runs

    assert sorted(stay.task for stay in played.attempts) == sorted(CORES)
    for at in {stay.begin for stay in played.attempts}:
        for machine in MACHINES:
            there = [stay for stay in played.attempts if stay.machine == machine.id and stay.begin <= at < stay.end]
            assert sum(CORES[stay.task] for stay in there) <= machine.resources.cpus
    serial = timedelta(seconds=sum(SECONDS.values()))
    assert played.makespan < serial / 4
    busy = [use.utilisation for use in played.machines]
    assert max(busy) - min(busy) <= 0.10


def test_it_is_no_slower_than_first_fit_and_goes_the_same_each_time(tmp_path: Path) -> None:
    spec = forty(tmp_path).spec(tmp_path)
    strategies = [StrategySpec(name=name) for name in ("knapsack", "first-fit", "knapsack")]

    knapsack, first_fit, again = simulate(spec, tmp_path, strategies, assume()).runs

    assert knapsack.makespan <= first_fit.makespan
    assert again == knapsack


def test_a_task_that_fits_nowhere_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    spec = forty(tmp_path, giant=17).spec(tmp_path)

    with pytest.raises(ConfigError) as raised:
        simulate(spec, tmp_path, assumptions=evolve(assume(), seconds=1.0))

    (problem,) = raised.value.problems
    assert problem.key == "tasks.giant.needs"
    assert "17 cpus fit on no machine" in problem.message
