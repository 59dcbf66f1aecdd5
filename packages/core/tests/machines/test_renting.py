"""Renting by hand: all or none, within the budget, under names that nobody else has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from longshore.errors import BudgetExceeded, OutOfCapacity, ProviderError, UsageError
from longshore.machines.renting import rent
from longshore.machines.values import Quote, Whose
from longshore.model.lease import LeasePhase
from longshore.model.machine import MachineState
from longshore.plugin.provider import Provider
from longshore.testing import FaultyProvider
from longshore.testing.fake_cloud_parts import CloudHabits
from longshore.testing.faults import Fault

from .world import LIFETIME, World, pool, usd


def test_machines_are_rented_until_their_end_and_belong_to_no_run(world: World) -> None:
    began = world.now()
    with world.fleet() as fleet:
        rows = rent(fleet, "cloud", count=2, label="fit")
        leases = fleet.ledger.leases()

    assert [row.name for row in rows] == ["fit-1", "fit-2"]
    assert {row.id for row in rows} == world.alive()
    for row in rows:
        assert (row.whose, row.state, row.type, row.region) == (Whose.OURS, MachineState.RUNNING, "small", "north")
        assert (row.run, row.project, row.pool, row.provider) == ("", "pv", "cloud", "fake")
        assert row.ends_at == began + LIFETIME
        assert row.price is not None
        assert row.price.per_hour == usd("0.10")
        assert row.born is not None
        assert row.address
    assert [(lease.phase, lease.spec.run) for lease in leases] == [(LeasePhase.READY, "")] * 2
    assert not (world.folder / "laptop" / "making").exists() or not list((world.folder / "laptop" / "making").iterdir())


def test_what_it_can_cost_is_said_before_anything_is_asked(world: World) -> None:
    quotes: list[Quote] = []

    def refuse(quote: Quote) -> bool:
        quotes.append(quote)
        return False

    with world.fleet() as fleet:
        rows = rent(fleet, "cloud", count=3, agree=refuse)
        assert fleet.ledger.leases(all_of_them=True) == []

    assert rows == []
    assert world.alive() == set()
    [quote] = quotes
    assert (quote.most, quote.names, quote.bounded) == (usd("0.60"), ("cloud-1", "cloud-2", "cloud-3"), False)


def test_a_name_is_given_once_on_all_clouds_and_computers(world: World) -> None:
    with world.fleet() as fleet:
        rent(fleet, "cloud", label="fit")
        world.wait(timedelta(minutes=1))
        with pytest.raises(UsageError, match="a machine named 'fit' already"):
            rent(fleet, "cloud", label="fit")
    with world.fleet("desktop") as fleet, pytest.raises(UsageError, match="a machine named 'fit' already"):
        rent(fleet, "cloud", label="fit")

    assert len(world.alive()) == 1


def test_without_a_label_names_go_on_where_they_are_free(world: World) -> None:
    with world.fleet() as fleet:
        first = rent(fleet, "cloud", count=2)
        second = rent(fleet, "cloud")

    assert [row.name for row in (*first, *second)] == ["cloud-1", "cloud-2", "cloud-3"]


def test_who_rents_at_the_same_time_gets_other_names(world: World) -> None:
    names: list[str] = []

    def meanwhile(_: Quote) -> bool:
        with world.fleet() as other:
            names.extend(row.name for row in rent(other, "cloud"))
        return True

    with world.fleet() as fleet:
        names.extend(row.name for row in rent(fleet, "cloud", agree=meanwhile))
    assert names == ["cloud-1", "cloud-2"]


@pytest.mark.parametrize("label", ["", "a b", "x" * 41, "$(reboot)", "../x"])
def test_a_label_that_could_be_mistaken_is_refused(world: World, label: str) -> None:
    with world.fleet() as fleet, pytest.raises(UsageError):
        rent(fleet, "cloud", label=label, count=0 if not label else 1)
    assert world.alive() == set()


def test_a_budget_bears_all_machines_or_none_is_rented(world: World) -> None:
    with world.fleet() as fleet:
        with pytest.raises(BudgetExceeded, match="raise max_cost"):
            rent(fleet, "cloud", count=3, max_cost=usd("0.59"))
        assert fleet.ledger.leases() == []
    assert world.alive() == set()
    assert world.sides() == set()

    with world.fleet() as fleet:
        assert len(rent(fleet, "cloud", count=3, max_cost=usd("0.60"))) == 3


def test_a_machine_whose_price_nobody_knows_is_not_rented_under_a_budget(world: World) -> None:
    world.pools = {"odd": pool("odd", type="odd"), "priced": pool("priced", type="odd", price=usd("0.30"))}
    with world.fleet() as fleet:
        with pytest.raises(BudgetExceeded, match="nobody knows what odd"):
            rent(fleet, "odd", max_cost=usd("100"))
        [row] = rent(fleet, "priced", max_cost=usd("0.60"))

    assert row.price is not None
    assert row.price.per_hour == usd("0.30")


def test_another_offer_is_tried_when_one_is_not_to_be_had(world: World) -> None:
    world.rig.fail(Fault.CAPACITY, on="create")
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud")

    assert row.zone == "north-b"


def test_all_or_none_is_rented(world: World) -> None:
    world.rig.cloud.habits = CloudHabits(quota=62)
    with (
        world.fleet() as fleet,
        pytest.raises(OutOfCapacity, match=r"cloud-3 cannot be had: .*62 machines"),
    ):
        rent(fleet, "cloud", count=3)

    assert world.alive() == set()


def test_a_launch_whose_answer_was_lost_gives_one_machine(world: World) -> None:
    world.rig.fail(Fault.REPLY_LOST, on="create")
    with world.fleet() as fleet:
        [row] = rent(fleet, "cloud")

    assert world.alive() == {row.id}


def test_what_never_comes_up_is_ended_and_said(world: World) -> None:
    inner = world.rig.provider()
    faulty = FaultyProvider(inner, world.rig.cloud.time, lag=timedelta(hours=1))

    def wrapped(_: Provider) -> Provider:
        return faulty

    world.wrap = wrapped
    with world.fleet() as fleet, pytest.raises(ProviderError, match="cloud-1 did not come up within"):
        rent(fleet, "cloud")

    assert world.alive() == set()


def test_an_unknown_pool_is_named_with_those_that_are_there(world: World, tmp_path: Path) -> None:
    with world.fleet() as fleet:
        with pytest.raises(UsageError, match="did you mean cloud"):
            rent(fleet, "clout")
        with pytest.raises(UsageError, match="there are: cloud"):
            rent(fleet, "x")
