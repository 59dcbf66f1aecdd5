"""What every assignment strategy promises.

* S1 no machine gets more than its ``free`` and ``slots``, nor a task that exceeds its ``largest``; nothing is invented.
* S2 a task is assigned at most once.
* S3 equal input gives equal output, whatever was asked in between.
* S4 what it is given stays as it was.
* S5 it answers within ``seconds`` for 1,000 waiting tasks and 100 machines.
* S6 where there is not room for all, the most urgent are chosen (unless ``urgent_first = False``).
* S7 nothing waits that would fit (unless ``fills = False``).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin.protocols import AssignmentStrategy
from longshore.runtime.registry import Registry
from longshore.testing.contract import Contract

__all__ = ["StrategyContract", "named_strategy"]


def named_strategy(name: str, options: Mapping[str, Any] | None = None) -> AssignmentStrategy:
    """Make a strategy that is installed, as a workflow that names it does; for comparing one's own with it.

    Raises:
        PluginError: when there is none of that name, or it is broken.
        ConfigError: when the options do not fit it.
    """
    return Registry().strategy(name, options)


NOW = datetime(2026, 1, 1, tzinfo=UTC)

_amounts = st.builds(
    Resources,
    cpus=st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 16.0]),
    memory_bytes=st.sampled_from([0, 1, 5, 100]),
    gpus=st.integers(0, 2),
    disk_bytes=st.integers(0, 3),
)

_examples = settings(
    deadline=None,  # a plugin may be slow; S5 is the law on that
    derandomize=True,  # a verdict is the same tomorrow
    report_multiple_bugs=False,
    # The law is one function for all plugins, and a strategy keeps nothing from one question to the next.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


@st.composite
def _waiting_tasks(draw: st.DrawFn) -> list[TaskView]:
    shared = draw(st.lists(_amounts, min_size=1, max_size=4))
    needs = draw(st.lists(st.sampled_from(shared), max_size=40))
    priorities = sorted((draw(st.integers(0, 5)) for _ in needs), reverse=True)
    return [
        TaskView(id=f"t{order}", name="t", needs=need, priority=priority, order=order)
        for order, (need, priority) in enumerate(zip(needs, priorities, strict=True))
    ]


@st.composite
def _some_machines(draw: st.DrawFn) -> list[MachineView]:
    return [
        _machine(f"m{number}", draw(_amounts), largest=draw(_amounts), slots=draw(st.integers(0, 6)))
        for number in range(draw(st.integers(0, 5)))
    ]


def _machine(name: str, free: Resources, *, largest: Resources | None = None, slots: int = 1000) -> MachineView:
    return MachineView(id=name, pool="p", capacity=free, free=free, slots=slots, largest=largest or free)


def _tasks(count: int) -> list[TaskView]:
    return [
        TaskView(id=f"t{order}", name="t", needs=Resources(), priority=count - order, order=order)
        for order in range(count)
    ]


def _equal_machines(count: int) -> list[MachineView]:
    return [_machine(f"m{number}", Resources(cpus=8.0)) for number in range(count)]


class StrategyContract(Contract):
    """The laws of a `longshore.plugin.AssignmentStrategy`. Give a fixture ``strategy``."""

    seconds = 10.0
    """How long the answer of S5 may take; far more than a good strategy needs on a slow computer."""
    urgent_first = True
    """Set False for a strategy with an order of its own."""
    fills = True
    """Set False for a strategy that keeps room free on purpose."""

    @given(waiting=_waiting_tasks(), machines=_some_machines())
    @_examples
    def test_S1_no_machine_is_given_more_than_fits(
        self, strategy: AssignmentStrategy, waiting: list[TaskView], machines: list[MachineView]
    ) -> None:
        """No machine gets more than its ``free`` and ``slots``, nor a task that exceeds its ``largest``."""
        chosen = strategy.assign(waiting, machines, NOW)

        by_task = {view.id: view for view in waiting}
        assert {each.task for each in chosen} <= set(by_task), "a task that does not wait was assigned"
        assert {each.machine for each in chosen} <= {view.id for view in machines}, "a machine was invented"
        for view in machines:
            given_to_it = [by_task[each.task].needs for each in chosen if each.machine == view.id]
            assert len(given_to_it) <= view.slots, f"{view.id} has {view.slots} slots"
            assert sum(given_to_it, Resources(cpus=0)).fits(view.free), f"{view.id} has only {view.free}"
            assert all(needs.fits(view.largest) for needs in given_to_it), f"{view.id} takes at most {view.largest}"

    @given(waiting=_waiting_tasks(), machines=_some_machines())
    @_examples
    def test_S2_a_task_is_assigned_at_most_once(
        self, strategy: AssignmentStrategy, waiting: list[TaskView], machines: list[MachineView]
    ) -> None:
        """A task is assigned at most once."""
        chosen = [each.task for each in strategy.assign(waiting, machines, NOW)]

        assert len(chosen) == len(set(chosen)), "a task was assigned twice"

    @given(waiting=_waiting_tasks(), machines=_some_machines())
    @example(waiting=_tasks(60), machines=_equal_machines(7))
    @_examples
    def test_S3_equal_input_gives_equal_output(
        self, strategy: AssignmentStrategy, waiting: list[TaskView], machines: list[MachineView]
    ) -> None:
        """Equal input gives equal output, whatever was asked in between."""
        first = list(strategy.assign(waiting, machines, NOW))
        strategy.assign(waiting[:1], machines[:1], NOW)

        assert list(strategy.assign(list(waiting), list(machines), NOW)) == first

    @given(waiting=_waiting_tasks(), machines=_some_machines())
    @_examples
    def test_S4_what_it_is_given_stays_as_it_was(
        self, strategy: AssignmentStrategy, waiting: list[TaskView], machines: list[MachineView]
    ) -> None:
        """Neither the waiting tasks nor the machines are changed or put in another order."""
        before = [view.id for view in waiting], list(machines)

        strategy.assign(waiting, machines, NOW)

        assert ([view.id for view in waiting], machines) == before, "the input was changed"

    def test_S5_a_thousand_tasks_on_a_hundred_machines_are_assigned_in_time(self, strategy: AssignmentStrategy) -> None:
        """It answers within ``seconds`` for 1,000 waiting tasks and 100 machines."""
        waiting = _tasks(1000)
        machines = _equal_machines(100)
        answers: list[Sequence[Assignment]] = []
        asking = threading.Thread(target=lambda: answers.append(strategy.assign(waiting, machines, NOW)), daemon=True)

        asking.start()
        asking.join(self.seconds)

        assert answers, f"there is no answer after {self.seconds:g} s"

    @pytest.mark.parametrize("room", [0, 1, 3, 8])
    def test_S6_the_most_urgent_are_chosen(self, strategy: AssignmentStrategy, room: int) -> None:
        """Where there is not room for all, the most urgent are chosen."""
        if not self.urgent_first:
            pytest.skip("it declares an order of its own")
        # The order in the file is the reverse, so that whoever goes by that is noticed.
        waiting = [TaskView(id=f"t{n}", name="t", needs=Resources(), priority=8 - n, order=8 - n) for n in range(8)]

        chosen = strategy.assign(waiting, [_machine("m", Resources(cpus=float(room)))], NOW)

        assert {each.task for each in chosen} <= {view.id for view in waiting[:room]}, "others were chosen"

    @given(waiting=_waiting_tasks(), machines=_some_machines())
    @_examples
    def test_S7_nothing_waits_that_would_fit(
        self, strategy: AssignmentStrategy, waiting: list[TaskView], machines: list[MachineView]
    ) -> None:
        """Nothing waits that would fit."""
        if not self.fills:
            pytest.skip("it declares that it keeps room free")
        chosen = {each.task: each.machine for each in strategy.assign(waiting, machines, NOW)}

        left = {view.id: view.free for view in machines}
        slots = {view.id: view.slots for view in machines}
        for view in waiting:
            if view.id in chosen:
                left[chosen[view.id]] -= view.needs
                slots[chosen[view.id]] -= 1
        idle = [view for view in waiting if view.id not in chosen]
        fitting = [
            (view.id, each.id)
            for view in idle
            for each in machines
            if slots[each.id] > 0 and view.needs.fits(left[each.id]) and view.needs.fits(each.largest)
        ]
        assert fitting == []
