"""How many machines a pool should have, and of which offer the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from attrs import field, frozen
from attrs.validators import ge

from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, OfferKey, cost_between
from longshore.model.quantity import Money
from longshore.scheduler.lease_actions import Drain, Intend
from longshore.scheduler.rented_state import Refusal

__all__ = ["SERVING", "PoolRule", "PoolView", "choose", "supply"]

SERVING = frozenset({LeasePhase.INTENDED, LeasePhase.REQUESTED, LeasePhase.KNOWN, LeasePhase.READY})
"""Phases of a lease that counts as a machine of its pool."""


@frozen(kw_only=True)
class PoolRule:
    """What the user asked of a pool."""

    name: str
    least: int = field(default=0, validator=ge(0))
    most: int = field(validator=ge(0))
    lifetime: timedelta
    """From the launch to the hard end."""
    idle: timedelta = timedelta(minutes=5)
    cool_off: timedelta = timedelta(minutes=10)
    """So long an offer that was refused is not tried again."""
    spot_losses: int = field(default=2, validator=ge(1))
    """After so many preemptions within an hour the pool goes on without spot machines."""


@frozen(kw_only=True)
class PoolView:
    """How a pool stands."""

    wanted: int
    """Machines that its waiting and running tasks could use."""
    leases: Mapping[str, LeasePhase] = field(factory=dict[str, LeasePhase])
    """Those of the pool that live."""
    idle_since: Mapping[str, datetime] = field(factory=dict[str, datetime])
    """By lease: since when nothing runs on it and nobody needs its outputs."""
    refusals: tuple[Refusal, ...] = ()
    preemptions: tuple[datetime, ...] = ()
    room: Mapping[OfferKey, int] = field(factory=dict[OfferKey, int])
    """What the account's limits still allow, where the cloud tells."""
    left: Money | None = None
    """What is left of the tightest budget; None when there is no limit."""


def supply(rule: PoolRule, view: PoolView, offers: Sequence[Offer], now: datetime) -> list[Intend | Drain]:
    """Say which machines to rent and which to give up; a machine that was lost is replaced by being missed.

    ``offers`` come in the order in which they are to be tried.
    """
    serving = [name for name, phase in view.leases.items() if phase in SERVING]
    target = min(rule.most, max(rule.least, view.wanted))
    intents: list[Intend | Drain] = []
    spent, taken = Decimal(0), dict.fromkeys((offer.key for offer in offers), 0)
    for _ in range(target - len(serving)):
        offer = choose(rule, view, offers, now, spent=spent, taken=taken)
        if offer is None:
            break
        intents.append(Intend(rule.name, offer))
        taken[offer.key] += 1
        if offer.price is not None:
            spent += cost_between(offer.price, now, now + rule.lifetime).amount
    return intents or _idle(rule, view, serving, target, now)


def choose(
    rule: PoolRule,
    view: PoolView,
    offers: Sequence[Offer],
    now: datetime,
    *,
    spent: Decimal = Decimal(0),
    taken: Mapping[OfferKey, int] | None = None,
) -> Offer | None:
    """Choose the first offer that was not refused lately, that the account may have, and that can be paid to its end.

    ``spent`` and ``taken`` say what this turn has decided already.
    """
    recent = {refusal.offer for refusal in view.refusals if now < refusal.at + rule.cool_off}
    lost = sum(1 for at in view.preemptions if now - at < timedelta(hours=1))
    for offer in offers:
        room = view.room.get(offer.key)
        full = room is not None and room <= (taken or {}).get(offer.key, 0)
        given_up = offer.spot and lost >= rule.spot_losses
        if not full and not given_up and offer.key not in recent and _affordable(rule, view, offer, now, spent):
            return offer
    return None


def _affordable(rule: PoolRule, view: PoolView, offer: Offer, now: datetime, spent: Decimal) -> bool:
    """Say whether the budget, if there is one, bears the offer to its end; what has no price it does not bear."""
    if view.left is None:
        return True
    if offer.price is None:
        return False
    cost = cost_between(offer.price, now, now + rule.lifetime)
    return cost.currency == view.left.currency and spent + cost.amount <= view.left.amount


def _idle(rule: PoolRule, view: PoolView, serving: Sequence[str], target: int, now: datetime) -> list[Intend | Drain]:
    """Give up machines that nobody wants and that have been idle long enough, the longest idle first."""
    since = {
        name: view.idle_since[name]
        for name in serving
        if view.leases[name] is LeasePhase.READY and name in view.idle_since
    }
    longest = sorted((at, name) for name, at in since.items() if now >= at + rule.idle)
    spare = max(0, len(serving) - target)
    return [Drain(name, f"idle since {at:%H:%M:%S} UTC") for at, name in longest[:spare]]
