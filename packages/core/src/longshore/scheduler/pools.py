"""How a pool of rented machines stands: what it may still rent, with which money, and why its tasks wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, OfferKey, all_full, cost_between
from longshore.model.quantity import Money
from longshore.model.rented import MachineKind, RentedPool
from longshore.scheduler.rented_state import RentedState
from longshore.scheduler.state import RunState
from longshore.scheduler.supply import SERVING, PoolRule, PoolView, choose

__all__ = [
    "UNREACHED_MOST",
    "affordable",
    "is_open",
    "money_left",
    "no_money",
    "open_offers",
    "rule_of",
    "usable_offers",
    "view_of",
    "why_waiting",
]

_MOST_OFFERS = 30
"""So many that are spot, and so many that are not, are kept in mind: clouds list thousands."""
UNREACHED_MOST = 3
"""After so many machines in a row that could not be reached, something is wrong that more of them will not mend."""


def usable_offers(spec: RentedPool, kind: MachineKind, offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Choose what a pool wants of what a cloud offers, cheapest first; spot machines first where they are wanted."""
    found = [offer for offer in offers if (kind.spot or not offer.spot) and _cheap_enough(spec, offer)]
    if spec.spread_cpus is not None:
        found.sort(key=_rate_of_a_cpu)
    spot = [offer for offer in found if offer.spot][:_MOST_OFFERS]
    return (*spot, *[offer for offer in found if not offer.spot][:_MOST_OFFERS])


def _cheap_enough(spec: RentedPool, offer: Offer) -> bool:
    if spec.max_price is None:
        return True
    rate = None if offer.price is None else offer.price.per_hour
    return rate is not None and rate.currency == spec.max_price.currency and rate.amount <= spec.max_price.amount


def _rate_of_a_cpu(offer: Offer) -> tuple[bool, Decimal]:
    if offer.price is None or not offer.resources.cpus:
        return True, Decimal(0)
    return False, offer.price.per_hour.amount / Decimal(offer.resources.cpus)


def is_open(spec: RentedPool, now: datetime) -> bool:
    """Say whether machines may be up now."""
    return spec.hours is None or spec.hours.is_open(now)


def open_offers(pool: RentedState) -> list[tuple[Offer, ...]]:
    """List by kind what the cloud has not refused for good; nothing before it was asked."""
    return [tuple(offer for offer in offers if offer.key not in pool.barred) for offers in pool.offers or ()]


def money_left(state: RunState, name: str) -> Money | None:
    """Say what is left of the tightest budget of a pool; None when there is no limit."""
    own = [lease for lease in state.leases.values() if lease.pool == name]
    left: list[Money] = []
    for limit, leases in ((state.workflow.max_cost, state.leases.values()), (state.rented[name].spec.max_cost, own)):
        if limit is not None:
            spent = sum((lease.cost.amount for lease in leases if lease.cost is not None), Decimal(0))
            left.append(Money(amount=max(Decimal(0), limit.amount - spent), currency=limit.currency))
    return min(left, key=lambda money: money.amount, default=None)


def rule_of(name: str, pool: RentedState, most: int) -> PoolRule:
    """Give the rule by which a pool has at most so many machines of a kind."""
    return PoolRule(name=name, most=most, lifetime=pool.spec.lifetime, idle=pool.spec.idle)


def view_of(state: RunState, name: str, kind: int, wanted: int) -> PoolView:
    """Say how a pool stands with one kind of its machines."""
    pool = state.rented[name]
    leases = {
        lease.id: lease for lease in state.leases.values() if (lease.pool, lease.kind) == (name, kind) and lease.open
    }
    return PoolView(
        wanted=wanted,
        leases={lease.id: lease.phase for lease in leases.values()},
        idle_since={lease.id: state.idle[lease.machine] for lease in leases.values() if lease.machine in state.idle},
        refusals=tuple(pool.refusals),
        preemptions=tuple(pool.preemptions),
        room=_room(state, pool),
        left=money_left(state, name),
    )


def _room(state: RunState, pool: RentedState) -> dict[OfferKey, int]:
    """Say how many more of each offer the account may have, less those that were rented since it was asked."""
    room = dict(pool.room)
    if pool.offers_at is not None:
        for lease in state.leases.values():
            if lease.offer in room and lease.born >= pool.offers_at and lease.phase is not LeasePhase.ABSENT:
                room[lease.offer] -= 1
    return room


def affordable(state: RunState, name: str, now: datetime) -> bool:
    """Say whether the budgets bear any offer to the end of its life."""
    pool = state.rented[name]
    left = money_left(state, name)
    rule = rule_of(name, pool, 1)
    view = PoolView(wanted=1, left=left)
    return any(choose(rule, view, offers, now) is not None for offers in open_offers(pool))


def why_waiting(state: RunState, name: str, now: datetime) -> str:
    """Say why tasks of a rented pool wait for a machine; empty when nothing keeps it from having more."""
    pool = state.rented[name]
    if pool.spec.hours is not None and not is_open(pool.spec, now):
        change = pool.spec.hours.next_change(now)
        return f"machines may be up in the hours {pool.spec.hours} only" + (
            f", again from {change:%Y-%m-%d %H:%M} UTC" if change else ""
        )
    if pool.trouble:
        return f"the provider cannot be asked: {pool.trouble}"
    leases = [lease for lease in state.leases.values() if lease.pool == name and lease.open]
    coming = sum(lease.phase in SERVING and lease.phase is not LeasePhase.READY for lease in leases)
    if coming:
        return f"{coming} {'machine is' if coming == 1 else 'machines are'} on the way"
    if sum(lease.phase in SERVING for lease in leases) >= sum(kind.most for kind in pool.spec.kinds):
        return ""
    if pool.offers is None:
        return "the provider is being asked what it rents"
    if not affordable(state, name, now):
        return no_money(state, name, now)
    kinds = list(enumerate(open_offers(pool)))
    if all_full((offer for _, offers in kinds for offer in offers), pool.room):
        return (
            "the account's limits leave room for none of the machines that would do; ask for more in the console of "
            "the cloud, or use less there; they are looked at again after a while"
        )
    if all(
        choose(rule_of(name, pool, 1), view_of(state, name, kind, 1), offers, now) is None for kind, offers in kinds
    ):
        again = min((each.at for each in pool.refusals), default=now) + rule_of(name, pool, 1).cool_off
        said = f" ({pool.last_failure})" if pool.last_failure else ""
        return f"the cloud has none of the machines that would do{said}; it is asked again at {again:%H:%M:%S} UTC"
    return ""


def no_money(state: RunState, name: str, now: datetime) -> str:
    """Say that no budget bears another machine, and what would change that."""
    spec = state.rented[name].spec
    left = money_left(state, name)
    offers = [offer for kind in open_offers(state.rented[name]) for offer in kind]
    costs = [cost_between(offer.price, now, now + spec.lifetime) for offer in offers if offer.price is not None]
    if not costs:
        return "nobody knows what the machines cost, and there is a max_cost; give price in the pool"
    cheapest = min(costs, key=lambda cost: cost.amount)
    if left is not None and left.currency != cheapest.currency:
        return f"machines are priced in {cheapest.currency}, and max_cost is in {left.currency}; give it in the former"
    hours = spec.lifetime.total_seconds() / 3600
    return (
        f"{left} of the budget is left, and a machine can cost {cheapest} in its lifetime of {hours:g} h; "
        "raise max_cost or shorten lifetime"
    )
