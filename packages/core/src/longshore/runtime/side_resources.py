"""Side resources in the ledger: who uses which. The last user's going makes one free to be swept (law P9)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from longshore.model.machine_spec import SideResource
from longshore.runtime.ledger_file import transaction, translated

__all__ = ["SideResources"]


class SideResources:
    """The side resources of one account, for who holds the ledger's lock on them. Made by `Ledger.sides`."""

    def __init__(self, connection: sqlite3.Connection, path: Path, provider: str, account: str) -> None:
        self._connection = connection
        self._path = path
        self._where = (provider, account)

    def use(self, lease: str, sides: Sequence[SideResource]) -> None:
        """Write down that a lease will use these; before they are made."""
        with transaction(self._connection, self._path) as connection:
            for side in sides:
                connection.execute(
                    "INSERT OR IGNORE INTO sides VALUES (?, ?, ?, ?, ?)",
                    (*self._where, side.id, side.kind, side.region),
                )
                connection.execute(
                    "INSERT OR IGNORE INTO side_users VALUES (?, ?, ?, ?)", (*self._where, side.id, lease)
                )

    def users(self, side: str) -> list[str]:
        """List the living leases that use one."""
        with translated(self._path):
            rows = self._connection.execute(
                "SELECT lease FROM side_users WHERE provider = ? AND account = ? AND id = ? ORDER BY lease",
                (*self._where, side),
            ).fetchall()
        return [lease for (lease,) in rows]

    def knows(self, side: str) -> bool:
        """Say whether the ledger has one, with or without users."""
        with translated(self._path):
            row = self._connection.execute(
                "SELECT 1 FROM sides WHERE provider = ? AND account = ? AND id = ?", (*self._where, side)
            ).fetchone()
        return row is not None

    def unused(self) -> list[SideResource]:
        """List those without a user, to be swept now, while the lock is held."""
        with translated(self._path):
            rows = self._connection.execute(
                "SELECT id, kind, region FROM sides s WHERE provider = ? AND account = ? AND NOT EXISTS (SELECT 1 FROM "
                "side_users u WHERE (u.provider, u.account, u.id) = (s.provider, s.account, s.id)) ORDER BY id",
                self._where,
            ).fetchall()
        return [SideResource(id=name, kind=kind, region=region) for name, kind, region in rows]

    def forget(self, side: str) -> None:
        """Strike out one that was swept. Silent for one that is not there, or is used again."""
        with transaction(self._connection, self._path) as connection:
            if not self.users(side):
                connection.execute(
                    "DELETE FROM sides WHERE provider = ? AND account = ? AND id = ?", (*self._where, side)
                )
