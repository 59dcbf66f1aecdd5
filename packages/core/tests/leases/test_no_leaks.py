"""By experiment: whatever goes wrong, and wherever the controller dies, nothing is left that costs money."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import ProviderError
from longshore.model.budget import Budget
from longshore.model.lease import Evidence, Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Offer, Price
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger import Ledger
from longshore.testing import FakeProvider, FakeRig, FaultyProvider
from longshore.testing.fake_cloud_parts import CloudHabits
from longshore.testing.faults import Fault, Time

from .things import usd

OWNER = "me"
ACCOUNT = "account-1"
MACHINES = 3
SERVING = {LeasePhase.INTENDED, LeasePhase.REQUESTED, LeasePhase.KNOWN, LeasePhase.READY}

TURN = timedelta(seconds=40)
RATES = {
    Fault.REPLY_LOST: 0.10,
    Fault.THROTTLED: 0.10,
    Fault.HANG: 0.05,
    Fault.PARTIAL: 0.10,
    Fault.DUPLICATE: 0.10,
}


class Crashed(Exception):
    """The controller was killed here."""


Edge = Callable[[], None]
"""Called before and after each effect; may raise `Crashed`."""


class EdgyLedger(Ledger):
    """A ledger whose writer may be killed before and after each step."""

    edge: Edge

    def _change(self, name: str, change: Callable[[Lease], Lease], *, at: datetime, note: str = "") -> Lease:
        self.edge()
        lease = super()._change(name, change, at=at, note=note)
        self.edge()
        return lease

    def absent(self, name: str, evidence: Evidence) -> Lease:
        self.edge()
        return super().absent(name, evidence)


class EdgyProvider(FaultyProvider):
    """A cloud where much goes wrong, for a controller that may be killed before and after each call."""

    def __init__(self, inner: FakeProvider, time: Time, edge: Edge, *, faulty: bool, seed: int) -> None:
        super().__init__(inner, time, rates=RATES if faulty else {}, lag=timedelta(seconds=10), seed=seed)
        self._inner = inner
        self._edge = edge

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        self._edge()
        made = super().launch(spec, token=token, count=count)
        self._edge()
        return made

    def terminate(self, machine_ids: Collection[str]) -> None:
        self._edge()
        super().terminate(machine_ids)
        self._edge()

    def price(self, offer: Offer) -> Price | None:
        return self._inner.price(offer)

    def sides_of(self, spec: MachineSpec) -> Sequence[SideResource]:
        return self._inner.sides_of(spec)

    def find_sides(self, *, owner: str) -> Sequence[SideResource]:
        return self._inner.find_sides(owner=owner)

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        self._edge()
        self._inner.sweep(ids, owner=owner)
        self._edge()


class World:
    """A cloud with colleagues on it, a ledger, and a run that wants three machines."""

    def __init__(self, path: Path, seed: int, *, keys: bool) -> None:
        self.random = random.Random(seed)
        self.rig = FakeRig(habits=CloudHabits(honours_keys=keys))
        self.rig.crowd(60)
        self.crowd = {each.id for each in self.rig.paid()}
        self.other_sides = {each.id for each in self.rig.sides()}
        self.path = path
        self.seed = seed
        self.lives = 0

    def _inner(self) -> FakeProvider:
        made = self.rig.provider()
        assert isinstance(made, FakeProvider)
        return made

    def live(self, turns: int, edge: Edge, *, over: bool, faulty: bool = True) -> None:
        """Let a controller live for some turns, or until it is killed."""
        self.lives += 1
        seed = self.seed * 1000 + self.lives
        provider = EdgyProvider(self._inner(), self.rig.cloud.time, edge, faulty=faulty, seed=seed)
        with EdgyLedger.open(self.path) as ledger:
            ledger.edge = edge
            keeper = LeaseKeeper(
                name="fake",
                provider=provider,
                ledger=ledger,
                owner=OWNER,
                now=self.rig.cloud.time.now,
                another=lambda lease, _: lease.spec.offer if self.random.random() < 0.5 else None,
            )
            try:
                for _ in range(turns):
                    if not over:
                        self._intend(ledger)
                    with contextlib.suppress(ProviderError):
                        keeper.turn(over=["r1"] if over else [], attended=["r1"])
                    self.rig.wait(TURN)
            except Crashed:
                self.rig.wait(timedelta(seconds=self.random.randrange(120)))

    def _intend(self, ledger: Ledger) -> None:
        """Want so many machines, as the supply of a pool does."""
        missing = MACHINES - sum(lease.phase in SERVING for lease in ledger.leases())
        spec = evolve(self.rig.spec(), ledger=ledger.id)
        spec = evolve(spec, offer=evolve(spec.offer, price=self._inner().price(spec.offer)))
        number = len(ledger.leases(all_of_them=True))
        for index in range(number, number + missing):
            wanted = Lease(id=f"a{index:03}", provider="fake", account=ACCOUNT, spec=spec, since=self.rig.now())
            ledger.intend(wanted, budgets=[Budget(name="run/r1", limit=usd("90"))])

    def ours(self) -> set[str]:
        return {each.id for each in self.rig.paid()} - self.crowd


def never() -> None:
    """Do not crash."""


def crash_at(count: int) -> Edge:
    left = [count]

    def edge() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crashed

    return edge


def check_nothing_is_left(world: World) -> None:
    with Ledger.open(world.path) as ledger:
        assert ledger.leases() == []
        standing = ledger.account("run/r1")
    assert standing is not None
    assert standing.committed.amount <= standing.budget.limit.amount
    assert world.ours() == set()
    assert {each.id for each in world.rig.paid()} == world.crowd
    assert {each.id for each in world.rig.sides()} == world.other_sides


@pytest.mark.parametrize("keys", [True, False], ids=["keys", "no-keys"])
@pytest.mark.parametrize("edge", range(24))
def test_a_controller_killed_at_any_edge_leaves_nothing_that_the_next_does_not_end(
    tmp_path: Path, edge: int, keys: bool
) -> None:
    world = World(tmp_path / "ledger.db", seed=edge, keys=keys)
    world.live(6, crash_at(edge), over=False)
    world.live(12, never, over=True)
    world.live(12, never, over=True, faulty=False)
    check_nothing_is_left(world)


@pytest.mark.parametrize("seed", range(20))
def test_many_deaths_and_faults_end_with_exactly_the_machines_that_are_wanted_and_then_with_none(
    tmp_path: Path, seed: int
) -> None:
    world = World(tmp_path / "ledger.db", seed=seed, keys=seed % 2 == 0)
    for _ in range(6):
        world.live(4, crash_at(world.random.randrange(12)), over=False)
    world.live(8, never, over=False, faulty=False)
    with Ledger.open(world.path) as ledger:
        living = {lease.machine for lease in ledger.leases()}
    assert world.ours() == living
    assert len(living) == MACHINES
    world.live(14, never, over=True, faulty=False)
    check_nothing_is_left(world)


def test_a_run_that_is_abandoned_ends_by_the_hard_end_alone_and_the_bill_is_bounded(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", seed=1, keys=True)
    world.live(3, never, over=False, faulty=False)
    assert len(world.ours()) == MACHINES
    world.rig.wait(timedelta(hours=9))
    assert world.ours() == set()
    ours = [each for each in world.rig.cloud.machines.values() if each.id not in world.crowd]
    assert all(each.paid_seconds <= timedelta(hours=8).total_seconds() for each in ours)
    world.live(6, never, over=True, faulty=False)
    check_nothing_is_left(world)
