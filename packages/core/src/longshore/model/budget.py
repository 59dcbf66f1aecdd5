"""What may be spent at most, by a run or by one of its pools."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import min_len

from longshore.model.quantity import Money

__all__ = ["Account", "Budget"]


@frozen(kw_only=True)
class Budget:
    """A limit, shared by all who name it."""

    name: str = field(validator=min_len(1))
    """Unique for the user: ``run/<run>`` or ``pool/<run>/<pool>``."""
    limit: Money


@frozen(kw_only=True)
class Account:
    """How a budget stands."""

    budget: Budget
    committed: Money
    """What its leases have cost, and what those that live can cost until their last possible end."""
