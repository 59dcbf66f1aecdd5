"""What the user asked of a pool whose machines are rented."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge, gt, min_len, optional

from longshore.model.hours import Hours
from longshore.model.offer import Needs
from longshore.model.quantity import Money

__all__ = ["MachineKind", "RentedPool", "WhenIdle"]

_NO_TIME = timedelta(0)


class WhenIdle(StrEnum):
    """What becomes of a machine that nobody needs for now, or any more."""

    END = "end"
    STOP = "stop"
    """It is powered off, and on again when it is needed, also by the next run of the project."""
    KEEP = "keep"
    """It stays up until its end time, for the next run of the project."""


@frozen(kw_only=True)
class MachineKind:
    """One kind of machine that a pool may have, and how many."""

    needs: Needs
    """What one machine must have at least; its type, when the user named one."""
    least: int = field(default=0, validator=ge(0))
    """So many are up as long as the pool has tasks that have not ended."""
    most: int = field(default=1, validator=ge(1))
    spot: bool = False
    """Spot machines are tried first."""

    @most.validator
    def _check_most(self, _: object, most: int) -> None:
        if most < self.least:
            raise ValueError(f"at most {most} machines are fewer than the {self.least} at least; swap them")


@frozen(kw_only=True)
class RentedPool:
    """How the machines of a pool are rented and given back."""

    kinds: tuple[MachineKind, ...] = field(validator=min_len(1))
    """In the order in which they are filled."""
    spread_cpus: float | None = field(default=None, validator=optional(gt(0)))
    """So many cpus in all, spread over several machines of one type (``explode``)."""
    max_cost: Money | None = None
    """Of the pool, in one run."""
    max_price: Money | None = None
    """An hour of a machine may cost so much; dearer offers, and those without a price, are passed over."""
    price: Money | None = None
    """What an hour costs where the provider does not tell."""
    lifetime: timedelta = field(default=timedelta(hours=8), validator=gt(_NO_TIME))
    """From a machine's launch to its hard end."""
    unattended: timedelta = field(default=timedelta(minutes=30), validator=gt(_NO_TIME))
    """A machine ends itself so long after the last beat."""
    idle: timedelta = field(default=timedelta(minutes=5), validator=ge(_NO_TIME))
    """After so long without attempts it is given up."""
    boot: timedelta = field(default=timedelta(minutes=10), validator=gt(_NO_TIME))
    """A machine that cannot be reached for so long after its launch is given up."""
    when_idle: WhenIdle = WhenIdle.END
    hours: Hours | None = None
    """When machines may be up; None for always."""
    image: str = ""
    """The cloud's own name of a disk image; empty for the provider's default."""
