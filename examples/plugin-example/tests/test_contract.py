"""The strategy keeps the laws, and does what it is for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from longshore_tightest.plugin import Options, Tightest

from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.testing import StrategyContract


@pytest.fixture(params=["cpus", "memory"])
def strategy(request: pytest.FixtureRequest) -> Tightest:
    return Tightest(Options(by=request.param))


class TestLaws(StrategyContract):
    """All of them."""


def test_a_task_goes_where_it_leaves_least() -> None:
    machines = [machine("large", 16.0), machine("small", 2.0)]
    task = TaskView(id="t", name="t", needs=Resources(cpus=2.0), priority=0, order=0)

    assert Tightest(Options()).assign([task], machines, datetime(2026, 1, 1, tzinfo=UTC)) == [Assignment("t", "small")]


def machine(name: str, cpus: float) -> MachineView:
    room = Resources(cpus=cpus)
    return MachineView(id=name, pool="p", capacity=room, free=room, slots=9, largest=room)
