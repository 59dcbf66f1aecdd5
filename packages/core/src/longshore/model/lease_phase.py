"""How far a lease has come: all that a run of which nothing is rented ever knows of leases."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LeasePhase"]


class LeasePhase(StrEnum):
    """How far a lease has come."""

    INTENDED = "intended"
    """Written down; nothing has been asked of the cloud under the present token."""
    REQUESTED = "requested"
    """The call may have been made; whether there is a machine only the cloud knows."""
    KNOWN = "known"
    """The cloud has named the machine."""
    READY = "ready"
    """It can take attempts."""
    STOPPED = "stopped"
    """Powered off, to be started again."""
    DRAINING = "draining"
    """It takes no more attempts; others still fetch outputs from it."""
    ENDING = "ending"
    """Its end has been asked for, or will be at once."""
    ABSENT = "absent"
    """There is no machine, and that is proven."""
