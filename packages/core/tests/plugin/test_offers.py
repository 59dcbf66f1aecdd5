"""Offers of all providers come in one order."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.offers import cheapest_first


def offer(name: str, rate: str = "", *, cpus: int = 2, zone: str = "") -> Offer:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    price = Price(per_hour=Money(amount=Decimal(rate), currency="USD"), source="list", at=at) if rate else None
    resources = Resources(cpus=cpus, memory_bytes=1 << 30)
    return Offer(type=name, region="here", zone=zone, resources=resources, price=price)


def test_the_cheapest_is_first_an_unknown_price_last_and_what_is_too_small_is_not_there() -> None:
    small, dear, cheap, unknown = offer("s", "0.01", cpus=1), offer("d", "0.9"), offer("c", "0.2"), offer("a")
    assert cheapest_first([dear, unknown, small, cheap], Needs(cpus=2)) == [cheap, dear, unknown]


def test_equal_prices_come_in_one_order_however_they_were_listed() -> None:
    rows = [offer("b", "0.2"), offer("a", "0.2", zone="z2"), offer("a", "0.2", zone="z1")]
    assert cheapest_first(rows, Needs()) == cheapest_first(rows[::-1], Needs()) == rows[::-1]
