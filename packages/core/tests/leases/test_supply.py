"""How pools grow, shrink, fail over and stay within their money."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.lease import LeasePhase
from longshore.model.offer import cost_between
from longshore.scheduler.lease_actions import Drain, Intend
from longshore.scheduler.rented_state import Refusal
from longshore.scheduler.supply import PoolRule, PoolView, supply

from .things import HOUR, MINUTE, NOW, offer, usd

RULE = PoolRule(name="cloud", most=4, lifetime=2 * HOUR)
SPOT, NORTH, DEAR = offer(per_hour="0.03", spot=True), offer(zone="a"), offer("large", "1")
OFFERS = [SPOT, NORTH, DEAR]


def ready(*names: str) -> dict[str, LeasePhase]:
    return dict.fromkeys(names, LeasePhase.READY)


def intended(view: PoolView, rule: PoolRule = RULE, now: datetime = NOW) -> list[str]:
    return [str(each.offer) for each in supply(rule, view, OFFERS, now) if isinstance(each, Intend)]


def test_a_pool_has_what_is_wanted_between_least_and_most() -> None:
    assert len(intended(PoolView(wanted=3))) == 3
    assert len(intended(PoolView(wanted=9))) == 4
    assert len(intended(PoolView(wanted=0), evolve(RULE, least=2))) == 2
    assert intended(PoolView(wanted=2, leases=ready("a", "b"))) == []


def test_one_lost_machine_is_replaced_by_one() -> None:
    leases = {**ready("a", "b"), "c": LeasePhase.ENDING}
    assert intended(PoolView(wanted=3, leases=leases)) == [str(SPOT)]


def test_an_offer_that_was_refused_is_passed_over_until_it_has_cooled_off() -> None:
    view = PoolView(wanted=1, refusals=(Refusal(offer=SPOT.key, at=NOW), Refusal(offer=NORTH.key, at=NOW)))
    assert intended(view, now=NOW + MINUTE) == [str(DEAR)]
    assert intended(view, now=NOW + 10 * MINUTE) == [str(SPOT)]


def test_after_repeated_preemption_machines_are_no_longer_spot() -> None:
    assert intended(PoolView(wanted=1, preemptions=(NOW,))) == [str(SPOT)]
    lost = PoolView(wanted=1, preemptions=(NOW, NOW + MINUTE))
    assert intended(lost, now=NOW + 2 * MINUTE) == [str(NORTH)]
    assert intended(lost, now=NOW + 2 * HOUR) == [str(SPOT)]


def test_limits_of_the_account_are_looked_at_before_a_launch_is_tried() -> None:
    view = PoolView(wanted=4, room={SPOT.key: 1, NORTH.key: 0})
    assert intended(view) == [str(SPOT), str(DEAR), str(DEAR), str(DEAR)]


def test_no_machine_is_intended_that_could_not_be_paid_to_its_end() -> None:
    assert intended(PoolView(wanted=4, left=usd("0.13"))) == [str(SPOT), str(SPOT)]
    assert supply(RULE, PoolView(wanted=1, left=usd("99")), [offer(per_hour=None)], NOW) == []


def test_a_machine_idle_for_long_enough_is_given_up_unless_the_least_needs_it() -> None:
    idle = {"a": NOW, "b": NOW + MINUTE}
    view = PoolView(wanted=0, leases=ready("a", "b", "c"), idle_since=idle)
    assert supply(RULE, view, OFFERS, NOW + 4 * MINUTE) == []
    assert supply(RULE, view, OFFERS, NOW + 5 * MINUTE) == [Drain("a", "idle since 00:00:00 UTC")]
    assert len(supply(RULE, view, OFFERS, NOW + HOUR)) == 2
    assert len(supply(evolve(RULE, least=2), view, OFFERS, NOW + HOUR)) == 1


@given(
    wanted=st.integers(0, 20),
    there=st.integers(0, 6),
    left=st.one_of(st.none(), st.decimals("0", "5", places=2)),
    lifetime=st.integers(1, 600),
)
def test_supply_never_exceeds_the_most_nor_the_money(wanted: int, there: int, left: object, lifetime: int) -> None:
    rule = evolve(RULE, lifetime=timedelta(minutes=lifetime))
    money = None if left is None else usd(str(left))
    view = PoolView(wanted=wanted, leases=ready(*map(str, range(there))), left=money)
    intents = [each for each in supply(rule, view, OFFERS, NOW) if isinstance(each, Intend)]
    assert len(intents) + there <= max(rule.most, there)
    if money is not None:
        costs = [cost_between(each.offer.price, NOW, NOW + rule.lifetime) for each in intents if each.offer.price]
        assert len(costs) == len(intents)
        assert sum(cost.amount for cost in costs) <= money.amount
