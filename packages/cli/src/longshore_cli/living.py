"""What may cost money now, as far as this computer's ledger knows; no cloud is asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from longshore_cli.text import counted

if TYPE_CHECKING:
    from longshore.model.lease import Lease

__all__ = ["living_leases", "said_of"]


def living_leases(run: str | None = None) -> list[Lease]:
    """List the leases, of one run or of all, that may have a machine; none where nothing was ever rented.

    Raises:
        LedgerError: when the ledger cannot be read.
    """
    from longshore.runtime.ledger_file import default_path

    path = default_path(os.environ)
    if not path.exists():
        return []
    # Imported here, since most who ask for a status have never rented anything.
    from longshore.runtime.ledger import Ledger

    with Ledger.open(path) as ledger:
        return [lease for lease in ledger.leases(run=run) if lease.may_have_machine]


def said_of(leases: Sequence[Lease], now: datetime) -> str:
    """Say how many there are, and whether some are overdue."""
    ending = sum(lease.phase.value == "ending" for lease in leases)
    overdue = sum(lease.spec.ends_at <= now for lease in leases)
    details = [
        f"{ending} of them {'is' if ending == 1 else 'are'} ending" if ending else "",
        f"{overdue} past {'its' if overdue == 1 else 'their'} end time" if overdue else "",
    ]
    return ", ".join([f"{counted(len(leases), 'machine')} may cost money", *filter(None, details)])
