"""What a user may choose."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import and_, ge, gt, le

__all__ = ["Options"]


@frozen(kw_only=True)
class Options:
    """Options of the strategy ``knapsack``."""

    seconds: float = field(default=0.5, validator=and_(gt(0), le(60)))
    """The limit for one decision, counted in steps of the solver and not by the clock: equal input gives equal output
    on any computer; an ordinary one needs less.
    """
    seed: int = field(default=0, validator=and_(ge(0), le(2**31 - 1)))
    """Another one breaks ties otherwise."""
