"""What becomes of a machine of a run while nobody at home has asked for it: noticed, shown, acted upon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest

from longshore.errors import LongshoreError
from longshore.model.events import Event, MachineAdded, MachineGone
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged, LeaseDraining
from longshore.model.machine import Machine
from longshore.model.offer import Needs, Offer
from longshore.model.outcome import FailureClass
from longshore.model.rented import MachineKind, RentedPool, WhenIdle
from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import ExecutorContext, Session
from longshore.runtime.ledger import Ledger
from longshore.runtime.mirror import Mirror
from longshore.runtime.providers import OpenProvider
from longshore.runtime.rentals import Rentals
from longshore.runtime.rented_run import RentedRun
from longshore.scheduler.renting_actions import GiveUp, Rent, StartAgain
from longshore.testing import FakeRemoteComputer, FakeRemoteConfig, FakeRemoteExecutor
from longshore.testing.fake_remote import FakeRemoteSession
from longshore.testing.faults import Fault
from longshore_aws.provider import AwsProvider

from .rig import AwsRig, Cloud


class Computers(FakeRemoteExecutor):
    """The kit's remote-shaped executor; each computer proves to be the machine whose id it has."""

    def _wanted(self, machine: Machine) -> str:
        return machine.id


class Life:
    """A run that rents on AWS, with computers that are reached as by SSH; its renter's thread is the test's own."""

    def __init__(self, rig: AwsRig, folder: Path) -> None:
        self.rig = rig
        self.cloud: Cloud = rig.cloud
        self.provider: AwsProvider = rig.provider()
        self.folder = folder
        self.events: list[Event] = []
        self.attached: dict[str, Session] = {}
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        context = ExecutorContext(
            run="r", run_folder=folder / "run", project_folder=folder, store_folder=folder / "store"
        )
        config = FakeRemoteConfig(folder=folder / "computers", reconnect=timedelta(milliseconds=100))
        kind = MachineKind(needs=Needs(), most=2)
        rented = RentedPool(kinds=(kind,), when_idle=WhenIdle.STOP)
        pool = PoolSpec(name="cloud", executor="ssh", provider="aws", rented=rented)
        run = RentedRun(
            id="r",
            project="pv",
            fence=1,
            pools={"cloud": pool},
            executors={"cloud": Computers(config, context)},
        )
        self.ledger = Ledger.open(folder / "ledger.db")
        self.mirror = Mirror(self.ledger, "r", "aws", post=self.post, now=_now)
        self.rentals = Rentals(
            run=run,
            source=OpenProvider(name="aws", provider=self.provider, configured_owner=rig.owner),
            ledger=self.ledger,
            mirror=self.mirror,
            host=self,
            order=self._orders.put,
            soon=lambda: None,
        )

    # --- what a renter needs of its run

    def post(self, *events: Event) -> None:
        self.events += events

    def fail(self, error: LongshoreError) -> None:
        raise error

    def attach(self, machine: Machine, session: Session) -> None:
        self.attached[machine.id] = session

    def detach(self, machine: str) -> None:
        if machine in self.attached:
            self.attached.pop(machine).close()

    def beat(self, machine: str, until: datetime) -> None:
        self.attached[machine].beat(until)

    # --- what a test does

    def rent(self, offer: Offer) -> str:
        """Rent a machine, switch a computer on for it, and wait until it is in use; give its id."""
        self.rentals.rent([Rent("cloud-1", "cloud", 0, offer, _now() + timedelta(hours=8))])
        while self.rentals.launches.asked:
            self._orders.get(timeout=120)()
        (machine,) = [lease.machine for lease in self.ledger.leases()]
        self.computer(machine).prepare(machine)
        self.until(MachineAdded)
        return machine

    def computer(self, machine: str) -> FakeRemoteComputer:
        return FakeRemoteComputer(self.folder / "computers" / machine)

    def lose_network(self, machine: str) -> None:
        """Let nothing get through to a machine any more."""
        self.computer(machine).cut()
        session = self.attached[machine]
        assert isinstance(session, FakeRemoteSession)
        session.drop()

    def until(self, kind: type[Event]) -> Event:
        """Do what is ordered until something of this kind has happened."""
        while not (found := [each for each in self.events if isinstance(each, kind)]):
            self._orders.get(timeout=120)()
        return found[0]

    def look(self) -> None:
        """Look at the cloud once, as is done again and again; a minute and more has passed for it."""
        self.rig.wait(timedelta(minutes=2))
        turn = self.rentals.keeper.turn(attended=["r"])
        self.rentals.machines.compare(turn.listing)
        self.mirror.tell()

    def told(self, kind: type[Event]) -> list[Event]:
        return [each for each in self.events if isinstance(each, kind)]

    def close(self) -> None:
        self.rentals.machines.close()
        for machine in list(self.attached):
            self.detach(machine)
        self.ledger.close()


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def life(rig: AwsRig, tmp_path: Path) -> Iterator[Life]:
    life = Life(rig, tmp_path)
    yield life
    life.close()


def gone(life: Life, machine: str) -> MachineGone:
    (event,) = [each for each in life.told(MachineGone) if isinstance(each, MachineGone)]
    assert event.machine == machine
    return event


def failures(life: Life) -> set[FailureClass]:
    """Say what has been told of leases that went wrong."""
    life.mirror.tell()
    return {each.failure for each in life.events if isinstance(each, LeaseChanged) and each.failure is not None}


def spot(life: Life) -> Offer:
    return next(each for each in life.provider.offers(Needs(type="c5.large")) if each.spot)


def test_a_machine_that_was_stopped_in_the_console_is_given_up_and_ended(life: Life) -> None:
    machine = life.rent(life.rig.spec().offer)
    life.cloud.admin().stop_instances(InstanceIds=[machine])
    life.look()
    assert gone(life, machine).reason == "the cloud shows it as stopped"
    assert failures(life) == {FailureClass.MACHINE_LOST}
    assert life.rig.paid() == []


def test_a_machine_that_was_terminated_in_the_console_is_missed_and_given_up(life: Life) -> None:
    machine = life.rent(life.rig.spec().offer)
    life.cloud.admin().terminate_instances(InstanceIds=[machine])
    life.lose_network(machine)
    life.until(MachineGone)
    assert gone(life, machine).reason.startswith("no link for ")
    assert failures(life) == {FailureClass.MACHINE_LOST}
    assert [lease.phase for lease in life.ledger.leases()] == [LeasePhase.ENDING]


def test_an_impaired_machine_gets_no_more_tasks_and_what_runs_there_goes_on(life: Life) -> None:
    machine = life.rent(life.rig.spec().offer)
    life.cloud.control("impair", machine=machine)
    life.look()
    life.look()
    (event,) = life.told(LeaseDraining)
    assert isinstance(event, LeaseDraining)
    assert (event.doomed, "something is wrong with the machine" in event.reason) == (True, True)
    assert list(life.attached) == [machine]
    assert [each.id for each in life.rig.paid()] == [machine]


def test_a_machine_whose_network_is_lost_is_ended_before_its_tasks_run_elsewhere(life: Life) -> None:
    machine = life.rent(life.rig.spec().offer)
    life.lose_network(machine)
    life.until(MachineGone)
    gone(life, machine)
    assert failures(life) == {FailureClass.MACHINE_LOST}
    assert life.rig.paid() == []


def test_a_spot_machine_that_aws_will_take_gets_no_more_tasks_and_is_called_preempted_when_it_goes(
    life: Life,
) -> None:
    machine = life.rent(spot(life))
    life.rig.reclaim(machine, after=timedelta(minutes=5))
    for notice in (*life.provider.notices([machine]), *life.provider.notices([machine])):
        life.rentals.machines.announced(notice.machine, notice.at)
    (event,) = life.told(LeaseDraining)
    assert isinstance(event, LeaseDraining)
    assert (event.doomed, event.reason.startswith("the cloud takes the machine back at ")) == (True, True)

    life.rig.wait(timedelta(minutes=6))
    life.lose_network(machine)
    life.until(MachineGone)
    gone(life, machine)
    assert failures(life) == {FailureClass.PREEMPTED}


def test_a_spot_machine_that_was_taken_unannounced_is_called_preempted_by_the_reason_that_aws_gives(life: Life) -> None:
    machine = life.rent(spot(life))
    life.rig.reclaim(machine, after=timedelta(0))
    life.rig.wait(timedelta(minutes=2))
    life.lose_network(machine)
    life.until(MachineGone)
    assert gone(life, machine).failure is FailureClass.PREEMPTED
    assert failures(life) == {FailureClass.PREEMPTED}


def test_a_spot_machine_that_was_terminated_in_the_console_is_lost_and_not_preempted(life: Life) -> None:
    machine = life.rent(spot(life))
    life.cloud.admin().terminate_instances(InstanceIds=[machine])
    life.look()
    life.lose_network(machine)
    life.until(MachineGone)
    assert gone(life, machine).failure is FailureClass.MACHINE_LOST
    assert failures(life) == {FailureClass.MACHINE_LOST}


def test_why_a_spot_machine_has_gone_is_asked_again_when_aws_did_not_answer(life: Life) -> None:
    machine = life.rent(spot(life))
    life.rig.reclaim(machine, after=timedelta(0))
    life.rig.wait(timedelta(minutes=2))
    life.rig.fail(Fault.UNKNOWN, on="list")
    life.lose_network(machine)
    life.until(MachineGone)
    assert gone(life, machine).failure is FailureClass.PREEMPTED
    assert failures(life) == {FailureClass.PREEMPTED}


def test_a_machine_that_is_stopped_when_idle_keeps_its_disk_and_starts_again(life: Life) -> None:
    machine = life.rent(life.rig.spec().offer)
    life.look()
    life.rentals.give_up([GiveUp("cloud-1", WhenIdle.STOP, "it is idle")])
    life.rig.wait(timedelta(minutes=2))
    assert [each.state for each in life.provider.find(owner=life.rig.owner)] == ["stopped"]
    assert [lease.phase for lease in life.ledger.leases()] == [LeasePhase.STOPPED]

    life.events.clear()
    life.rentals.start_again(StartAgain("cloud-1").lease)
    added = life.until(MachineAdded)
    assert isinstance(added, MachineAdded)
    assert added.machine == machine
    assert [lease.phase for lease in life.ledger.leases()] == [LeasePhase.READY]
