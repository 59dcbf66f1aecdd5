"""Leases as JSON, for the ledger. What is read back equals what was written."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

from cattrs import Converter
from cattrs.errors import BaseValidationError

from longshore.errors import LedgerError
from longshore.model.lease import Lease

__all__ = ["LeaseCodec"]


class LeaseCodec:
    """Writes and reads leases."""

    def __init__(self) -> None:
        self._converter = Converter()
        self._converter.register_unstructure_hook(Decimal, str)
        self._converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
        self._converter.register_unstructure_hook(datetime, datetime.isoformat)
        self._converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
        self._converter.register_unstructure_hook(timedelta, lambda value: value // timedelta(microseconds=1))
        self._converter.register_structure_hook(timedelta, lambda value, _: timedelta(microseconds=value))

    def encode(self, lease: Lease) -> str:
        """Write a lease."""
        return json.dumps(self._converter.unstructure(lease), separators=(",", ":"))

    def decode(self, body: str) -> Lease:
        """Read a lease.

        Raises:
            LedgerError: when it is damaged, or of a version that says more than this one understands.
        """
        try:
            return self._converter.structure(json.loads(body), Lease)
        except (BaseValidationError, ValueError, TypeError, ArithmeticError) as error:
            raise LedgerError(
                f"a lease in the ledger cannot be read ({error}); use the version that wrote it"
            ) from error
