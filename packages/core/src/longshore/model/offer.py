"""What a pool asks of a machine, what a cloud has to rent, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from attrs import field, frozen
from attrs.validators import ge, instance_of, min_len

from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.times import aware

__all__ = ["Needs", "Offer", "OfferKey", "Price", "all_full", "cost_between"]

OfferKey = tuple[str, str, str, bool]
"""`Offer.key`."""

_HOUR_MICROSECONDS = 3_600_000_000
_SMALLEST = Decimal("0.000001")
"""Costs are rounded up to this, so that a sum of reservations never says less than the bill."""


@frozen(kw_only=True)
class Needs:
    """What one machine must have at least. A zero or an empty word means "does not matter"."""

    cpus: float = field(default=0.0, validator=ge(0))
    memory_bytes: int = field(default=0, validator=ge(0))
    gpus: int = field(default=0, validator=ge(0))
    gpu_model: str = ""
    """As the provider spells it; capitals do not matter."""
    arch: str = ""
    """``x86_64`` or ``arm64``."""
    disk_bytes: int = field(default=0, validator=ge(0))
    type: str = ""
    """The cloud's own name of a machine type, when the user named one."""


@frozen(kw_only=True)
class Price:
    """What an hour costs, who says so, and as of when."""

    per_hour: Money
    source: str = field(validator=min_len(1))
    """Where the figure comes from, in words: ``"price list"``, ``"spot history"``, ``"config"``."""
    at: datetime = field(validator=aware)


@frozen(kw_only=True)
class Offer:
    """What a provider can rent now, or at least lists."""

    type: str = field(validator=min_len(1))
    """The cloud's own name of the machine type."""
    region: str = field(validator=min_len(1))
    zone: str = ""
    """Empty when the cloud chooses, or has none."""
    resources: Resources
    arch: str = "x86_64"
    gpu_model: str = ""
    price: Price | None = field(default=None)
    """None when nobody could say; under a ``max_cost`` such an offer is refused."""
    spot: bool = field(default=False, validator=instance_of(bool))

    @property
    def key(self) -> OfferKey:
        """What makes it another offer; the price, which changes, is no part of it."""
        return self.type, self.region, self.zone, self.spot

    def meets(self, needs: Needs) -> bool:
        """Say whether a machine of this kind has what is needed."""
        least = Resources(
            cpus=needs.cpus, memory_bytes=needs.memory_bytes, gpus=needs.gpus, disk_bytes=needs.disk_bytes
        )
        return (
            least.fits(self.resources)
            and needs.type in {"", self.type}
            and needs.arch in {"", self.arch}
            and needs.gpu_model.casefold() in {"", self.gpu_model.casefold()}
        )

    def __str__(self) -> str:
        where = self.zone or self.region
        return f"{self.type} in {where}{' (spot)' if self.spot else ''}"


def all_full(offers: Iterable[Offer], room: Mapping[OfferKey, int]) -> bool:
    """Say whether there are offers, and the account's limits leave room for none of them; ``room`` may lack some."""
    left = [room.get(offer.key, 1) for offer in offers]
    return bool(left) and max(left) <= 0


def cost_between(price: Price, begin: datetime, end: datetime) -> Money:
    """Say what a machine costs from one moment to another, rounded up; nothing when the end is not after the begin."""
    microseconds = max(timedelta(0), end - begin) // timedelta(microseconds=1)
    amount = price.per_hour.amount * microseconds / _HOUR_MICROSECONDS
    return Money(amount=amount.quantize(_SMALLEST, rounding=ROUND_CEILING), currency=price.per_hour.currency)
