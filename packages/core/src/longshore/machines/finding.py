"""What can be rented, from everybody who rents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

from longshore.machines.fleet import Fleet
from longshore.machines.values import OfferInfo, Unasked
from longshore.model.offer import Needs

__all__ = ["find_offers"]


def find_offers(
    fleet: Fleet, needs: Needs, *, providers: Collection[str] = (), spot: bool | None = None
) -> tuple[list[OfferInfo], list[Unasked]]:
    """List what fits, the cheapest first and unknown prices last; spot machines only, none of them, or both (None).

    Prices are compared within a currency; currencies come in the order of their names.
    """
    answers, unasked = fleet.ask_providers(fleet.names(providers), lambda provider: provider.offers(needs))
    found = [OfferInfo(provider=name, offer=offer) for name, offers in answers.items() for offer in offers]
    return _sorted(each for each in found if spot is None or each.offer.spot == spot), unasked


def _sorted(found: Iterable[OfferInfo]) -> list[OfferInfo]:
    def order(each: OfferInfo) -> tuple[bool, str, Decimal, str, tuple[str, str, str, bool]]:
        price = each.offer.price
        if price is None:
            return True, "", Decimal(0), each.provider, each.offer.key
        return False, price.per_hour.currency, price.per_hour.amount, each.provider, each.offer.key

    return sorted(found, key=order)
