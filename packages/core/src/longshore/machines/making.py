"""Renting by hand is done or undone as a whole: who rents holds a lock meanwhile, and its last word is one commit.

The leases of one ``up`` are called ``<up>/1``, ``<up>/2`` and so on, and the first of them becomes ready last. Where
the first has never been ready and nobody holds the lock, the renter has died half-way, and all of it is to be undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from longshore.model.lease import Lease, LeasePhase
from longshore.runtime.ledger import Ledger
from longshore.runtime.lock import acquire, is_held
from longshore.runtime.project import new_run_id

__all__ = ["abandoned", "lease_id", "renting_by_hand"]

_PREFIX = "up-"


def lease_id(making: str, number: int) -> str:
    """Name a lease; numbers begin at 1."""
    return f"{making}/{number}"


@contextmanager
def renting_by_hand(ledger: Ledger) -> Iterator[str]:
    """Give the name of a new ``up``; as long as the block lasts, everybody sees that somebody is at it."""
    making = f"{_PREFIX}{new_run_id()}"
    folder = _folder(ledger, making)
    folder.mkdir(parents=True, mode=0o700)
    try:
        with acquire(folder):
            yield making
    finally:
        rmtree(folder, ignore_errors=True)


def abandoned(ledger: Ledger) -> list[Lease]:
    """List the leases of every ``up`` that nobody will finish, but for those whose end was asked for."""
    by_making: dict[str, list[Lease]] = {}
    for lease in ledger.leases(run=""):
        making, slash, _ = lease.id.rpartition("/")
        if slash and making.startswith(_PREFIX):
            by_making.setdefault(making, []).append(lease)
    unwanted: list[Lease] = []
    for making, leases in by_making.items():
        # In this order: whoever has let go of the lock has committed before.
        if not is_held(_folder(ledger, making)) and not _finished(ledger, making):
            unwanted += [lease for lease in leases if lease.phase is not LeasePhase.ENDING]
    return unwanted


def _finished(ledger: Ledger, making: str) -> bool:
    return any(row.phase is LeasePhase.READY for row in ledger.history(lease_id(making, 1)))


def _folder(ledger: Ledger, making: str) -> Path:
    return ledger.path.parent / "making" / making
