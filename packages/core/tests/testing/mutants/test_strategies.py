"""Strategies that each break one law, and are caught by it."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from longshore.builtin.strategies import CriticalPath, FirstFit
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.testing import Contract, StrategyContract

Choose = Callable[[Sequence[TaskView], Sequence[MachineView], datetime], Sequence[Assignment]]
good = CriticalPath()
LAWS = StrategyContract()


class Mutant:
    """A strategy that is one function."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        return self._choose(waiting, machines, now)


def overfull(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return [Assignment(task.id, machines[0].id) for task in waiting if machines]


def without_slots(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    fits = ((task, each) for task in waiting[:1] for each in machines)
    return [Assignment(task.id, each.id) for task, each in fits if task.needs.fits(each.free)][:1]


def elsewhere(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return [Assignment(each.task, "nowhere") for each in good.assign(waiting, machines, now)]


def twice(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    chosen = list(good.assign(waiting, machines, now))
    return chosen + chosen[:1]


def unseeded(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return good.assign(waiting, random.sample(machines, len(machines)), now)


_asked = itertools.count()


def remembers(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    turn = next(_asked) % max(1, len(machines))
    return good.assign(waiting, [*machines[turn:], *machines[:turn]], now)


def sorts_in_place(waiting: Any, machines: Any, now: datetime) -> Sequence[Assignment]:
    waiting.sort(key=lambda task: -task.order)
    return []


def empties(waiting: Any, machines: Any, now: datetime) -> Sequence[Assignment]:
    chosen = good.assign(waiting, machines, now)
    machines.clear()
    return chosen


def hangs(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    threading.Event().wait(2)
    return []


def backwards(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return good.assign(waiting[::-1], machines, now)


def one_at_a_time(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return good.assign(waiting, machines, now)[:1]


def never(waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime) -> Sequence[Assignment]:
    return []


MUTANTS = [
    (overfull, LAWS.test_S1_no_machine_is_given_more_than_fits),
    (without_slots, LAWS.test_S1_no_machine_is_given_more_than_fits),
    (elsewhere, LAWS.test_S1_no_machine_is_given_more_than_fits),
    (twice, LAWS.test_S2_a_task_is_assigned_at_most_once),
    (unseeded, LAWS.test_S3_equal_input_gives_equal_output),
    (remembers, LAWS.test_S3_equal_input_gives_equal_output),
    (sorts_in_place, LAWS.test_S4_what_it_is_given_stays_as_it_was),
    (empties, LAWS.test_S4_what_it_is_given_stays_as_it_was),
    (one_at_a_time, LAWS.test_S7_nothing_waits_that_would_fit),
    (never, LAWS.test_S7_nothing_waits_that_would_fit),
]


@pytest.mark.parametrize(("mutant", "law"), MUTANTS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_strategy_that_breaks_a_law_is_caught_by_it(mutant: Choose, law: Callable[..., None]) -> None:
    with pytest.raises(BaseException) as caught:
        law(strategy=Mutant(mutant))

    assert (
        caught.group_contains(AssertionError)
        if isinstance(caught.value, ExceptionGroup)
        else caught.errisinstance((AssertionError,))
    )


def test_a_strategy_that_hangs_is_caught() -> None:
    class Impatient(StrategyContract):
        seconds = 0.1

    with pytest.raises(AssertionError, match="no answer after"):
        Impatient().test_S5_a_thousand_tasks_on_a_hundred_machines_are_assigned_in_time(Mutant(hangs))


@pytest.mark.parametrize("strategy", [Mutant(backwards), FirstFit()])
def test_a_strategy_that_passes_the_urgent_over_is_caught(strategy: Mutant) -> None:
    with pytest.raises(AssertionError, match="others were chosen"):
        LAWS.test_S6_the_most_urgent_are_chosen(strategy, 3)


def test_a_law_cannot_be_replaced_without_a_reason() -> None:
    class Law(Contract):
        def test_x1_something_holds(self) -> None:
            raise AssertionError

    with pytest.raises(TypeError, match=r"Silent\.test_x1_something_holds takes the place of a law"):
        type("Silent", (Law,), {"test_x1_something_holds": lambda self: None})

    class Honest(Law):
        @pytest.mark.xfail(reason="the cloud cannot do that")
        def test_x1_something_holds(self) -> None:
            super().test_x1_something_holds()

    assert Honest.__mro__[1] is Law
