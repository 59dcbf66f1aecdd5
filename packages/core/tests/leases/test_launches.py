"""Machines that are wanted together are asked for together, and used as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest
from attrs import evolve

from longshore.errors import LongshoreError, QuotaExceeded
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.runtime.launches import Launches
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger import Ledger
from longshore.testing import FakeProvider, FakeRig
from longshore.testing.faults import Fault

SECONDS = 120
SLOW = "slow"


class Meeting(FakeProvider):
    """Answers launches only when so many are asked for at once, and those of a slow zone when they may end."""

    at_once: threading.Barrier
    may_end: threading.Event

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        self.at_once.wait(SECONDS)
        if spec.pool == SLOW:
            assert self.may_end.wait(SECONDS)
        return super().launch(spec, token=token, count=count)


class World:
    def __init__(self, folder: Path, at_once: int) -> None:
        self.rig = FakeRig(Meeting)
        self.refused: list[str] = []
        self.ledger = Ledger.open(folder / "ledger.db")
        provider = self.rig.provider()
        assert isinstance(provider, Meeting)
        provider.at_once = threading.Barrier(at_once)
        provider.may_end = self.may_end = threading.Event()
        self.done: list[str] = []
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.keeper = LeaseKeeper(
            name="fake",
            provider=provider,
            ledger=self.ledger,
            owner=self.rig.owner,
            now=self.rig.now,
            another=self._another,
        )
        self.launches = Launches(self.keeper, order=self._orders.put, done=self.done.append)

    def intend(self, *names: str, pool: str = "cloud") -> None:
        spec = evolve(self.rig.spec(), ledger=self.ledger.id, pool=pool)
        for name in names:
            self.ledger.intend(Lease(id=name, provider="fake", account="account-1", spec=spec, since=self.rig.now()))

    def launch(self, *names: str) -> None:
        """Ask for them, and hear all answers."""
        self.launches.add(names)
        while self.launches.asked:
            self.hear()

    def hear(self) -> None:
        """Do what one answer asks for."""
        self._orders.get(timeout=SECONDS)()

    def phases(self) -> dict[str, LeasePhase]:
        return {lease.id: lease.phase for lease in self.ledger.leases(all_of_them=True)}

    def _another(self, lease: Lease, _: LongshoreError) -> Offer | None:
        self.refused.append(lease.id)
        return None


@pytest.fixture
def three(tmp_path: Path) -> World:
    return World(tmp_path, 3)


def test_several_launches_are_under_way_at_once(three: World) -> None:
    three.intend("a", "b", "c")
    three.launch("a", "b", "c")
    assert three.phases() == dict.fromkeys("abc", LeasePhase.KNOWN)
    assert len(three.rig.paid()) == 3
    assert len({lease.machine for lease in three.ledger.leases()}) == 3


def test_one_that_is_refused_keeps_none_of_the_others(three: World) -> None:
    three.intend("a", "b", "c")
    three.rig.fail(Fault.QUOTA, on="create")
    three.launch("a", "b", "c")
    (lost,) = three.refused
    assert three.phases() == {**dict.fromkeys("abc", LeasePhase.KNOWN), lost: LeasePhase.ABSENT}
    assert len(three.rig.paid()) == 2


def test_one_that_is_not_answered_stays_requested(three: World) -> None:
    three.intend("a", "b", "c")
    three.rig.fail(Fault.REPLY_LOST, on="create")
    three.launch("a", "b", "c")
    assert sorted(three.phases().values()) == [LeasePhase.KNOWN, LeasePhase.KNOWN, LeasePhase.REQUESTED]
    assert len(three.rig.paid()) == 3


def test_what_was_launched_is_known_while_others_are_still_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path, 2)
    world.intend("a", pool=SLOW)
    world.intend("b")

    world.launches.add(["a", "b"])
    world.hear()

    assert world.phases() == {"a": LeasePhase.REQUESTED, "b": LeasePhase.KNOWN}
    assert world.done == ["b"]
    assert world.launches.asked == {"a"}
    world.may_end.set()
    world.hear()
    assert world.phases() == dict.fromkeys("ab", LeasePhase.KNOWN)


def test_what_waits_for_its_turn_is_not_asked_for_once_it_is_dropped(tmp_path: Path) -> None:
    world = World(tmp_path, 8)
    first = [f"lease-{number}" for number in range(8)]
    world.intend(*first, pool=SLOW)
    world.intend("late", "later")

    world.launches.add([*first, "late", "later"])
    assert world.launches.asked == {*first}
    assert world.launches.busy == {*first, "late", "later"}
    assert world.phases()["late"] is LeasePhase.INTENDED
    world.launches.drop("late")
    world.launches.stop()
    world.may_end.set()
    while world.launches.asked:
        world.hear()

    assert len(world.rig.paid()) == 8
    assert {world.phases()[name] for name in ("late", "later")} == {LeasePhase.INTENDED}


def test_a_single_launch_still_raises_what_the_cloud_says(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.intend("a")
    world.rig.fail(Fault.DENIED, on="create")
    with pytest.raises(LongshoreError) as caught:
        world.keeper.launch("a")
    assert not isinstance(caught.value, QuotaExceeded)
    assert world.phases() == {"a": LeasePhase.ABSENT}
