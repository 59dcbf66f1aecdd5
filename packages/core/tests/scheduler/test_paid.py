"""What is paid for nothing, as the books of a cloud show it whose clock is moved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.model.lease_events import LeaseIntended
from longshore.model.lease_phase import LeasePhase
from longshore.model.rented import RentedPool, WhenIdle
from longshore.testing import FakeRig

from .renting_world import SECOND, World, here, offer, pool, tasks

MOST = timedelta(seconds=60)
"""So long may a machine be paid for after its pool's last task."""
ELSEWHERE = timedelta(hours=1)
"""So long does a task take that needs no rented machine, after all others."""


class Billed(World):
    """Its machines are those of a fake cloud, which writes down when they begin and end to cost."""

    def __init__(self, rented: RentedPool, count: int) -> None:
        self.rig = FakeRig()
        self.provider = self.rig.provider()
        first = tasks(count)
        last = evolve(tasks(1, name="last")[0], pool="local", after=tuple(each.name for each in first))
        super().__init__(rented, (*(evolve(each, pool="cloud") for each in first), last), besides=(here(),))

    def answer(self, intent: LeaseIntended) -> None:
        (machine,) = self.provider.launch(self.rig.spec(), token=intent.lease)
        self.change(intent.lease, LeasePhase.KNOWN, machine=machine.id)
        self.boot(intent.lease)

    def give_up(self, lease: str, how: WhenIdle) -> None:
        assert how is WhenIdle.END
        self.provider.terminate([self.state.leases[lease].machine])
        super().give_up(lease, how)

    def wait(self, duration: timedelta) -> World:
        self.rig.wait(duration)
        return super().wait(duration)

    def work(self, seconds: Sequence[int]) -> datetime:
        """Let each of the first tasks take so long, and then the last one its hour; say when the first had ended."""
        began = self.now
        for length, name in sorted((length, f"t{number}") for number, length in enumerate(seconds)):
            self.until(began + length * SECOND)
            self.end(name)
            self.settle()
        rented = self.rig.now()
        self.until(self.now + ELSEWHERE)
        self.end("last0")
        self.settle()
        return rented

    def until(self, at: datetime) -> None:
        """Let time pass, and wake up whenever that was asked for."""
        self.settle()
        while self.now < at:
            self.wait(min(at, self.wake or at) - self.now)

    def ends(self) -> list[datetime]:
        """List when each machine has ceased to cost."""
        machines = self.rig.cloud.machines.values()
        assert not any(each.ended is None for each in machines)
        return [each.ended for each in machines if each.ended is not None]


@settings(max_examples=40, deadline=None)
@given(seconds=st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_nothing_is_paid_for_a_minute_after_the_last_task_though_the_run_goes_on_elsewhere(seconds: list[int]) -> None:
    world = Billed(pool(most=6), len(seconds))
    last = world.work(seconds)
    assert world.state.ended == "succeeded"
    assert len(world.ends()) == len(seconds)
    assert max(world.ends()) <= last + MOST


def test_a_machine_waits_its_idle_time_while_a_task_of_its_pool_may_still_come() -> None:
    world = World(pool(most=2), (*tasks(1, name="a"), *tasks(1, name="b")), offers=(offer(),)).settle()
    world.end("a0")
    world.settle()
    assert len(world.serving()) == 2
    world.wait(5 * 60 * SECOND)
    assert len(world.serving()) == 1
