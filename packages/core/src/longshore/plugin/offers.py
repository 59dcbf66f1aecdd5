"""The order in which every provider lists what it rents."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from longshore.model.offer import Needs, Offer

__all__ = ["cheapest_first"]


def cheapest_first(offers: Iterable[Offer], needs: Needs) -> list[Offer]:
    """Give those that meet the needs: unknown prices last, and equal ones in the order of their keys."""
    return sorted((offer for offer in offers if offer.meets(needs)), key=_order)


def _order(offer: Offer) -> tuple[bool, Decimal, tuple[str, str, str, bool]]:
    rate = offer.price.per_hour.amount if offer.price else Decimal(0)
    return offer.price is None, rate, offer.key
