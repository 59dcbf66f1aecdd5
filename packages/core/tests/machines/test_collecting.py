"""`gc` ends what is left, and nothing that is somebody's."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import LongshoreError, PluginBroken
from longshore.machines.collecting import collect
from longshore.machines.ending import chosen, end
from longshore.machines.renting import rent
from longshore.machines.values import Collected
from longshore.model.lease import LeasePhase
from longshore.runtime.ledger import Ledger
from longshore.runtime.providers import OpenProvider
from longshore.testing import FakeProvider, FakeRig
from longshore.testing.fake_cloud_parts import CloudHabits
from longshore.testing.faults import Fault

from .world import LIFETIME, OWNER, Narrow, World

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_what_is_wanted_is_left_alone_and_clean(world: World) -> None:
    with world.fleet() as fleet:
        rows = rent(fleet, "cloud", count=2)
        world.wait(HOUR)
        found = collect(fleet)
    assert found.clean
    assert found.deeds == ()
    assert world.alive() == {row.id for row in rows}


def test_what_was_ended_is_proven_gone_and_its_side_resources_are_swept(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", count=2)
        world.wait(MINUTE)
        end(fleet, chosen(fleet, ["cloud-1", "cloud-2"]))
        assert world.sides()

        early = collect(fleet)
        assert not early.clean
        assert [each.what for each in early.remaining] == [
            "cloud-1: its end was asked for, and is not proven yet",
            "cloud-2: its end was asked for, and is not proven yet",
        ]
        late = collect(fleet, patience=HOUR)

        assert late.clean
        assert any(deed.what.startswith("deleted key ") for deed in late.deeds)
        assert fleet.ledger.leases() == []
    assert world.sides() == set()


def test_machines_past_their_end_are_ended_where_powering_off_still_costs(tmp_path: Path) -> None:
    world = World(tmp_path, habits=CloudHabits(power_off_still_costs=True))
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud")
        world.wait(LIFETIME + MINUTE)
        assert world.alive() == {row.id}
        found = collect(fleet, patience=HOUR)
        assert [deed.what for deed in found.deeds if row.id in deed.what] == [
            f"ended cloud-1 (fake/{row.id}): its end time has come"
        ]
    assert world.alive() == set()


def test_a_stray_is_ended_and_a_dry_run_only_says_so(world: World) -> None:
    with world.fleet() as fleet:
        spec = evolve(world.rig.spec(), ledger=fleet.ledger.id, name="lost")
        [stray] = world.rig.provider().launch(spec, token="of-nobody")
        world.wait(MINUTE)
        said = f"lost (fake/{stray.id}): it is ours, and no lease is on it"

        assert next(deed.what for deed in collect(fleet, dry_run=True).deeds) == f"would end {said}"
        assert world.alive() == {stray.id}
        assert world.sides()

        ended, swept = [deed.what for deed in collect(fleet).deeds]
    assert ended == f"ended {said}"
    assert swept.endswith("it is ours, and no lease knows it")
    assert world.alive() == set()
    assert world.sides() == set()


def test_a_laptop_a_colleague_and_a_job_on_one_account_leave_each_others_work_alone(world: World) -> None:
    computers = ("laptop", "colleague", "job")
    alive = set()
    for computer in computers:
        with world.fleet(computer) as fleet:
            alive |= {row.id for row in rent(fleet, "cloud", label=computer)}
    world.wait(HOUR)
    for number, computer in enumerate(computers, 1):
        with world.fleet(computer) as fleet:
            found = collect(fleet)
            assert found.clean
            assert [row.name for row in found.foreign] == sorted(computers[number:])
            assert found.deeds == ()
            end(fleet, chosen(fleet, [], pool="cloud"))
        assert len(world.alive()) == len(alive) - number


def test_a_lost_ledgers_machines_are_found_by_the_owner_and_ended_when_that_is_said(world: World) -> None:
    with world.fleet() as fleet:
        rows = rent(fleet, "cloud", count=2)
    (world.folder / "laptop" / "ledger.db").unlink()
    world.wait(MINUTE)

    with world.fleet() as fleet:
        found = collect(fleet)
        assert {row.id for row in found.foreign} == {row.id for row in rows}
        assert [row.kind for row in found.foreign_resources] == ["key"]
        assert world.alive() == {row.id for row in rows}

        collect(fleet, foreign=True)
        assert world.alive() == set()
        world.wait(MINUTE)
        assert collect(fleet, foreign=True).clean
    assert world.sides() == set()


def test_a_foreign_machine_past_its_end_and_the_grace_is_ended(tmp_path: Path) -> None:
    world = World(tmp_path, habits=CloudHabits(power_off_still_costs=True))
    with world.fleet("gone") as fleet:
        [row] = rent(fleet, "cloud")
    world.wait(LIFETIME + timedelta(minutes=5))
    with world.fleet() as fleet:
        assert collect(fleet).deeds == ()
        world.wait(timedelta(minutes=10))
        [deed] = collect(fleet).deeds
    assert f"ended cloud-1 (fake/{row.id}): it is foreign and should have ended at" in deed.what
    assert world.alive() == set()


def test_a_provider_that_cannot_be_loaded_is_told_and_the_others_are_cleaned(world: World) -> None:
    other = FakeRig()
    more: dict[str, OpenProvider | Exception] = {
        "broken": PluginBroken("plugin provider.broken of broken 1.0 cannot be imported"),
        "second": OpenProvider(name="second", provider=other.provider(), configured_owner=OWNER),
    }
    with world.fleet(more=more) as fleet:
        for rig in (world.rig, other):
            rig.provider().launch(evolve(rig.spec(), ledger=fleet.ledger.id), token="of-nobody")
        world.wait(MINUTE)
        other.wait(MINUTE)
        found = collect(fleet)

    assert not found.clean
    assert [each.provider for each in found.unasked] == ["broken"]
    assert world.alive() == set()
    assert other.paid() == []


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.HANG, Fault.REPLY_LOST])
@pytest.mark.parametrize("on", ["list", "end", "list_sides", "delete_side"])
def test_a_cloud_that_fails_is_asked_again_within_the_patience(world: World, fault: Fault, on: str) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", count=2)
        world.wait(MINUTE)
        end(fleet, chosen(fleet, ["cloud-1", "cloud-2"]))
        world.rig.fail(fault, on=on)
        found = collect(fleet, patience=HOUR)
        assert found.clean
        assert fleet.ledger.leases() == []
    assert world.alive() == set()
    assert world.sides() == set()


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.HANG, Fault.REPLY_LOST, Fault.DUPLICATE, Fault.PARTIAL])
@pytest.mark.parametrize("keys", [True, False], ids=["keys", "no-keys"])
def test_whatever_goes_wrong_while_renting_gc_leaves_what_was_rented_or_nothing(
    tmp_path: Path, fault: Fault, keys: bool
) -> None:
    world = World(tmp_path, habits=CloudHabits(honours_keys=keys), crowd=20)
    rented: set[str] = set()
    for on in ("create", "list", "create_side", "whoami", "offers"):
        world.rig.fail(fault, on=on)
        with world.fleet() as fleet, contextlib.suppress(LongshoreError):
            rented |= {row.id for row in rent(fleet, "cloud", count=2)}
    with world.fleet() as fleet:
        assert collect(fleet, patience=HOUR).clean
    assert world.alive() == rented


def test_what_somebody_is_renting_at_this_moment_is_left_alone(world: World) -> None:
    found: list[Collected] = []

    def meanwhile(_: str) -> None:
        with world.fleet() as other:
            found.append(collect(other))

    with world.fleet() as fleet:
        fleet.tell = meanwhile
        rows = rent(fleet, "cloud", count=2)
    assert len(found) > 4
    assert [each.deeds for each in found] == [()] * len(found)
    assert world.alive() == {row.id for row in rows}


def test_an_intent_that_was_never_asked_for_is_closed_when_its_maker_is_dead(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud")
    with Ledger.open(world.folder / "laptop" / "ledger.db") as ledger:
        [lease] = ledger.leases()
        dead = evolve(lease, id="up-of-the-dead/1", phase=LeasePhase.INTENDED, machine="")
        ledger.intend(dead)
    with world.fleet() as fleet:
        assert collect(fleet).clean
        assert [each.id for each in fleet.ledger.leases()] == [lease.id]


def test_a_machine_where_nobody_looks_any_more_is_neither_ended_nor_clean_but_named_with_what_mends_it(
    world: World,
) -> None:
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud", label="fit")
    seeing, world.wrap = world.wrap, lambda provider: Narrow(provider, "south")
    with world.fleet() as fleet:
        world.wait(MINUTE)
        assert collect(fleet).clean, "nothing is to be ended yet"
        [deed] = end(fleet, chosen(fleet, ["fit"]))
        hidden = "it is in north, and [providers.fake] looks in south: name north there, too"
        assert str(deed.error) == f"it was not ended: {hidden}"
        world.wait(LIFETIME)
        found = collect(fleet, patience=HOUR)
        assert not found.clean
        assert [each.what for each in found.remaining] == [f"fit: its end time has come; {hidden}"]
        assert [lease.machine for lease in fleet.ledger.leases()] == [row.id]

    world.wrap = seeing
    with world.fleet() as fleet:
        assert collect(fleet, patience=HOUR).clean
        assert fleet.ledger.leases() == []


def test_a_machine_of_an_account_that_nobody_is_logged_in_to_is_named_with_what_mends_it(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", label="fit")
    other = FakeRig()
    elsewhere = FakeProvider(other.cloud.login("account-2"), other.cloud.time, other.provider().terms)
    world.wrap = lambda _: elsewhere
    with world.fleet() as fleet:
        [deed] = end(fleet, chosen(fleet, ["fit"]))
    assert str(deed.error).endswith("it is of the account account-1, and the login is of account-2: log in there")
