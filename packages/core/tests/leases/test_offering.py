"""What a provider is asked for a pool, and what of the answer the pool wants."""

from __future__ import annotations

from longshore.model.offer import Needs
from longshore.model.rented import MachineKind, RentedPool
from longshore.model.resources import Resources
from longshore.runtime.offering import find_offers, find_room
from longshore.testing import FakeProvider, FakeRig
from longshore.testing.fake_cloud_parts import CloudHabits
from longshore.testing.faults import Fault

from .things import usd

NOTHING = Resources(cpus=0.0)


def provider(habits: CloudHabits | None = None) -> tuple[FakeProvider, FakeRig]:
    rig = FakeRig(habits=habits)
    made = rig.provider()
    assert isinstance(made, FakeProvider)
    return made, rig


def found(pool: RentedPool, largest: Resources = NOTHING) -> list[list[str]]:
    made, rig = provider()
    return [[str(offer) for offer in kind] for kind in find_offers(made, pool, largest, rig.now())]


def kind(*, spot: bool = False, needs: Needs | None = None) -> MachineKind:
    return MachineKind(needs=needs or Needs(), spot=spot)


def test_the_cheapest_comes_first_and_spot_machines_only_where_they_are_wanted() -> None:
    usual = ["small in north-a", "small in north-b", "large in south-a", "odd in south-a"]
    assert found(RentedPool(kinds=(kind(), kind(spot=True)))) == [usual, ["small in north-a (spot)", *usual]]


def test_a_machine_takes_the_largest_task_where_no_type_was_named() -> None:
    pool = RentedPool(kinds=(kind(), kind(needs=Needs(type="small"))))
    assert found(pool, Resources(cpus=8)) == [["large in south-a"], ["small in north-a", "small in north-b"]]


def test_when_nothing_takes_the_largest_task_the_others_get_what_there_is() -> None:
    assert found(RentedPool(kinds=(kind(),)), Resources(cpus=999))[0][0] == "small in north-a"


def test_what_is_dearer_than_wanted_or_has_no_price_is_passed_over() -> None:
    assert found(RentedPool(kinds=(kind(),), max_price=usd("0.10"))) == [["small in north-a"]]


def test_a_price_of_the_config_stands_in_for_one_that_nobody_tells() -> None:
    made, rig = provider()
    [offers] = find_offers(made, RentedPool(kinds=(kind(),), price=usd("7")), NOTHING, rig.now())
    prices = {offer.type: offer.price.per_hour for offer in offers if offer.price}
    assert (prices["odd"], prices["large"]) == (usd("7"), usd("0.80"))


def test_cpus_that_are_spread_are_bought_where_one_is_cheapest() -> None:
    pool = RentedPool(kinds=(kind(),), spread_cpus=40.0, price=usd("0.04"))
    assert found(pool)[0][0] == "odd in south-a"


def test_what_the_account_may_still_have_is_looked_at_before_anything_is_tried() -> None:
    made, rig = provider(CloudHabits(quota=3))
    offers = list(made.offers(Needs(type="small")))
    assert set(dict(find_room(made, [offers])).values()) == {3}
    rig.cloud.fail(Fault.THROTTLED, on="room")
    assert find_room(made, [offers]) == ()
