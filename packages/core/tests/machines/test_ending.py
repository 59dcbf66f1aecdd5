"""What is listed is what the clouds say, and what is ended is what was named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from attrs import evolve

from longshore.errors import CloudUnreachable, CredentialsError, PluginMissing, Throttled, UsageError
from longshore.machines.collecting import collect
from longshore.machines.ending import chosen, end, start, stop
from longshore.machines.fleet import Fleet
from longshore.machines.renting import rent
from longshore.machines.values import MachineInfo, Whose
from longshore.model.lease import LeasePhase
from longshore.model.machine import Machine, MachineState
from longshore.runtime.providers import OpenProvider
from longshore.testing import FakeRig
from longshore.testing.faults import Fault

from .world import OWNER, Bare, World

MINUTE = timedelta(minutes=1)


def names(fleet: Fleet) -> dict[str, MachineInfo]:
    return {row.name: row for row in fleet.overview().machines}


def test_the_list_is_what_the_cloud_says(world: World) -> None:
    with world.fleet() as fleet:
        kept, gone = rent(fleet, "cloud", count=2)
        world.rig.cloud.login("account-1")("end", {"id": gone.id}, None)
        world.wait(MINUTE)

        overview = fleet.overview()

    assert overview.machines == (kept,)
    assert [lease.machine for lease in overview.unlisted] == [gone.id]
    assert overview.whole


def test_down_ends_what_is_named_in_an_account_of_five_hundred_others(tmp_path: Path) -> None:
    world = World(tmp_path, crowd=500)
    with world.fleet() as fleet:
        rows = rent(fleet, "cloud", count=3)
        others = rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)

        deeds = end(fleet, chosen(fleet, ["cloud-2"]))

        assert [(deed.what, deed.error) for deed in deeds] == [(f"ended cloud-2 (fake/{rows[1].id})", None)]
    assert world.alive() == {rows[0].id, rows[2].id, others[0].id}
    assert {each.id for each in world.rig.paid()} == world.crowd | world.alive()


@pytest.mark.parametrize("word", ["id", "provider/id", "lease", "name"])
def test_a_machine_is_named_by_its_id_its_lease_or_its_label(world: World, word: str) -> None:
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        words = {"id": row.id, "provider/id": f"fake/{row.id}", "lease": row.lease, "name": "fit"}
        end(fleet, chosen(fleet, [words[word]]))
    assert world.alive() == set()


def test_a_name_that_fits_nothing_ends_nothing_at_all(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        with pytest.raises(UsageError, match="there is no machine 'fitt'; did you mean fit"):
            chosen(fleet, ["fit", "fitt"])
    assert len(world.alive()) == 1


def test_strangers_machines_cannot_be_named(world: World) -> None:
    stranger = min(world.crowd)
    with world.fleet() as fleet, pytest.raises(UsageError, match="there is no machine"):
        chosen(fleet, [stranger], foreign=True)


def test_a_name_that_fits_two_machines_ends_none(world: World) -> None:
    # Two computers rented at the same moment, before either could see the other's machine.
    with world.fleet("laptop") as one, world.fleet("desktop") as two:
        first = rent(one, "cloud", label="fit")
        spec = evolve(one.ledger.leases()[0].spec, ledger=two.ledger.id)
        second = world.rig.provider().launch(spec, token="t-2")
        world.wait(MINUTE)
        with pytest.raises(UsageError, match=f"'fit' could be any of fake/{first[0].id}, fake/{second[0].id}"):
            chosen(one, ["fit"])
    assert len(world.alive()) == 2


def test_a_machine_of_another_computer_is_ended_only_when_that_is_said(world: World) -> None:
    with world.fleet("desktop") as desktop:
        [theirs] = rent(desktop, "cloud", label="theirs")
    world.wait(MINUTE)
    with world.fleet("laptop") as laptop:
        assert names(laptop)["theirs"].whose is Whose.FOREIGN
        with pytest.raises(UsageError, match=f"fake/{theirs.id} is of another ledger.*--foreign"):
            chosen(laptop, ["theirs"])
        end(laptop, chosen(laptop, ["theirs"], foreign=True))
    assert world.alive() == set()


def test_a_pool_is_ended_without_other_pools_and_computers(world: World) -> None:
    world.pools["other"] = evolve(world.pools["cloud"], name="other")
    with world.fleet("desktop") as desktop:
        theirs = rent(desktop, "cloud", label="theirs")
    with world.fleet() as fleet:
        rent(fleet, "cloud", count=2)
        kept = rent(fleet, "other")
        world.wait(MINUTE)
        assert len(end(fleet, chosen(fleet, [], pool="cloud"))) == 2
    assert world.alive() == {theirs[0].id, kept[0].id}


def test_an_end_that_the_cloud_did_not_take_is_written_down_and_asked_for_again(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", count=2)
        world.wait(MINUTE)
        world.rig.fail(Fault.THROTTLED, on="end")
        failed, done = end(fleet, chosen(fleet, ["cloud-1", "cloud-2"]))
        assert isinstance(failed.error, Throttled)
        assert done.error is None
        assert len(world.alive()) == 1
        assert [lease.phase for lease in fleet.ledger.leases()] == [LeasePhase.ENDING] * 2

        collect(fleet)
    assert world.alive() == set()


def test_a_machine_is_stopped_and_started_and_keeps_its_end_time(world: World) -> None:
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        for _ in range(2):  # twice is as once
            assert [deed.error for deed in stop(fleet, chosen(fleet, ["fit"]))] == [None]
        stopped = names(fleet)["fit"]
        assert (stopped.state, stopped.phase) == (MachineState.STOPPED, LeasePhase.STOPPED)
        for _ in range(2):
            assert [deed.error for deed in start(fleet, chosen(fleet, ["fit"]))] == [None]
        started = names(fleet)["fit"]
    assert (started.state, started.phase, started.ends_at) == (MachineState.RUNNING, LeasePhase.READY, row.ends_at)


def test_what_cannot_be_stopped_is_said(world: World) -> None:
    world.wrap = Bare
    with world.fleet() as fleet:
        rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        [deed] = stop(fleet, chosen(fleet, ["fit"]))
    assert "can be ended, and not stopped" in str(deed.error)


def test_a_provider_that_cannot_be_asked_hides_no_other(world: World) -> None:
    other = FakeRig()
    more: dict[str, OpenProvider | Exception] = {
        "expired": OpenProvider(name="expired", provider=other.provider(), configured_owner=OWNER),
        "missing": PluginMissing("no provider 'missing' is installed"),
        "broken": ZeroDivisionError("division by zero"),
    }
    with world.fleet(more=more) as fleet:
        rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        other.fail(Fault.CREDENTIALS, on="*")
        overview = fleet.overview()

    assert [row.name for row in overview.machines] == ["fit"]
    assert not overview.whole
    errors = {each.provider: each.error for each in overview.unasked}
    assert set(errors) == {"broken", "expired", "missing"}
    assert isinstance(errors["expired"], CredentialsError)
    assert "ZeroDivisionError" in str(errors["broken"])


def test_a_provider_that_never_answers_holds_up_no_other(world: World) -> None:
    silence = Event()

    def wait(*, owner: str) -> list[Machine]:
        silence.wait(60)
        return []

    silent = Bare(world.rig.provider())
    silent.find = wait
    hanging = OpenProvider(name="hanging", provider=silent, configured_owner=OWNER)
    with world.fleet(more={"hanging": hanging}) as fleet:
        fleet.patience = timedelta(seconds=2)
        overview = fleet.overview()
    silence.set()
    [unasked] = overview.unasked
    assert (unasked.provider, type(unasked.error)) == ("hanging", CloudUnreachable)


def test_a_lease_of_a_provider_that_only_another_project_describes_is_told_with_what_to_do(world: World) -> None:
    more: dict[str, OpenProvider | Exception] = {"lab": PluginMissing("no provider 'lab' is installed")}
    with world.fleet(more=more) as fleet:
        rent(fleet, "cloud")
        lease = fleet.ledger.leases()[0]
        fleet.ledger.intend(evolve(lease, id="x", provider="lab", phase=LeasePhase.INTENDED, machine=""))
    with world.fleet(more=more) as fleet:
        fleet.renting = evolve(fleet.renting, providers={"fake": {}})
        [unasked] = fleet.overview().unasked
    assert unasked.expected
    assert "if [providers.lab] stands in another project, do this there" in str(unasked.error)


def test_two_names_of_one_account_list_a_machine_once(world: World) -> None:
    again = OpenProvider(name="again", provider=world.rig.provider(), configured_owner=OWNER)
    with world.fleet(more={"again": again}) as fleet:
        rent(fleet, "cloud", label="fit")
        world.wait(MINUTE)
        assert [(row.name, row.provider) for row in fleet.overview().machines] == [("fit", "fake")]


def test_what_is_no_machine_is_listed_with_whose_it_is(world: World) -> None:
    with world.fleet("desktop") as desktop:
        rent(desktop, "cloud", label="theirs")
    with world.fleet() as fleet:
        rent(fleet, "cloud", label="ours")
        resources = fleet.overview(resources=True).resources
    assert {(row.kind, row.whose, row.project) for row in resources} == {
        ("key", Whose.OURS, "pv"),
        ("key", Whose.FOREIGN, "pv"),
    }
    assert {row.id for row in resources} == world.sides()
