"""What a provider rents that a pool could use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve

from longshore.errors import ProviderError
from longshore.model.offer import Needs, Offer, OfferKey, Price
from longshore.model.rented import MachineKind, RentedPool
from longshore.model.resources import Resources
from longshore.plugin.provider import Provider, Quotas
from longshore.scheduler.pools import usable_offers

__all__ = ["find_offers", "find_room"]

_ROOM_MOST = 10
"""Limits of the account are looked at for so many offers, since each is a question to the cloud."""


def find_offers(
    provider: Provider, pool: RentedPool, largest: Resources, now: datetime
) -> tuple[tuple[Offer, ...], ...]:
    """List for each kind of a pool's machines what can be rented, in the order in which it is to be tried.

    Where the user named no type a machine is to take the largest task, if there is such a machine.

    Raises:
        ProviderError: when the cloud does not say.
    """
    return tuple(usable_offers(pool, kind, _priced(pool, _found(provider, kind, largest), now)) for kind in pool.kinds)


def find_room(provider: Provider, offers: Sequence[Sequence[Offer]]) -> tuple[tuple[OfferKey, int], ...]:
    """Say how many more of the first offers the account may have, as far as the cloud tells."""
    if not isinstance(provider, Quotas):
        return ()
    room: dict[OfferKey, int] = {}
    for kind in offers:
        for offer in kind[:_ROOM_MOST]:
            if offer.key not in room:
                try:
                    more = provider.room(offer)
                except ProviderError:
                    return tuple(room.items())
                if more is not None:
                    room[offer.key] = more
    return tuple(room.items())


def _found(provider: Provider, kind: MachineKind, largest: Resources) -> Sequence[Offer]:
    if kind.needs.type:
        return provider.offers(kind.needs)
    return provider.offers(_both(kind.needs, largest)) or provider.offers(kind.needs)


def _both(needs: Needs, largest: Resources) -> Needs:
    return evolve(
        needs,
        cpus=max(needs.cpus, largest.cpus),
        memory_bytes=max(needs.memory_bytes, largest.memory_bytes),
        gpus=max(needs.gpus, largest.gpus),
        disk_bytes=max(needs.disk_bytes, largest.disk_bytes),
    )


def _priced(pool: RentedPool, offers: Sequence[Offer], now: datetime) -> list[Offer]:
    if pool.price is None:
        return list(offers)
    price = Price(per_hour=pool.price, source="config", at=now)
    return [evolve(offer, price=offer.price or price) for offer in offers]
