"""The user-wide record of leases: what is rented, since money outlives a project folder.

Every change is one transaction at ``synchronous=FULL``, so that what was written before a call to a cloud is there
after a power cut. Several processes share one ledger. Its id is a tag on everything rented; its secret, from which
tokens and host keys derive, leaves it only through `Ledger.derived`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import evolve, frozen

from longshore.errors import LedgerError, UsageError
from longshore.model.budget import Account, Budget
from longshore.model.lease import Evidence, Lease, LeasePhase, Proof, derive, launch_token
from longshore.model.offer import Offer, Price
from longshore.model.quantity import Money
from longshore.runtime import reservations
from longshore.runtime.lease_codec import LeaseCodec
from longshore.runtime.ledger_file import default_path, locked, open_file, transaction, translated
from longshore.runtime.side_resources import SideResources

__all__ = ["HistoryRow", "Ledger"]


@frozen(kw_only=True)
class HistoryRow:
    """One step of a lease."""

    at: datetime
    phase: LeasePhase
    launch: int
    note: str


class Ledger:
    """An open ledger. Made by `Ledger.open`; used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._codec = LeaseCodec()
        with translated(path):
            meta = dict(connection.execute("SELECT key, value FROM meta"))
        try:
            self.id: str = meta["id"]
            self._secret = bytes.fromhex(meta["secret"])
        except (KeyError, ValueError):
            raise LedgerError(f"the ledger {path} has lost its id or secret; move it away and begin anew") from None

    def __repr__(self) -> str:
        return f"<Ledger {self.id} at {self._path}>"

    @property
    def path(self) -> Path:
        """Its file."""
        return self._path

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Open the user's ledger, or the one at ``path``; it is made where there is none.

        Raises:
            LedgerError: when it cannot be made, is damaged, or a newer version wrote it.
        """
        path = path or default_path(os.environ)
        connection = open_file(path)
        try:
            return cls(connection, path)
        except LedgerError:
            connection.close()
            raise

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def token(self, lease: Lease) -> str:
        """Give the token of the lease's present launch."""
        return launch_token(self._secret, self.id, lease.id, lease.launch)

    def tokens(self, lease: Lease) -> tuple[str, ...]:
        """Give the tokens of all its launches, the present one first."""
        return tuple(launch_token(self._secret, self.id, lease.id, each) for each in range(lease.launch, 0, -1))

    def derived(self, purpose: str, token: str) -> bytes:
        """Derive secret bytes of a launch, such as the seed of its host key; the same whenever it is repeated."""
        return derive(self._secret, f"{purpose}\n{token}")

    def leases(self, *, run: str | None = None, all_of_them: bool = False) -> list[Lease]:
        """List the leases that may still cost money, of one run or of all; or those that are over, too."""
        condition, values = "", []
        if not all_of_them:
            condition = " WHERE phase <> 'absent'"
        if run is not None:
            condition += f"{' AND' if condition else ' WHERE'} run = ?"
            values = [run]
        with translated(self._path):
            rows = self._connection.execute(f"SELECT body FROM leases{condition} ORDER BY id", values).fetchall()  # noqa: S608 - words of ours
        return [self._codec.decode(body) for (body,) in rows]

    def lease(self, name: str) -> Lease:
        """Read one lease.

        Raises:
            UsageError: when there is none of this id.
        """
        with translated(self._path):
            row = self._connection.execute("SELECT body FROM leases WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise UsageError(f"there is no lease {name!r} in the ledger {self._path}")
        return self._codec.decode(row[0])

    def history(self, name: str) -> list[HistoryRow]:
        """List the steps of a lease, oldest first; none for an unknown one."""
        with translated(self._path):
            rows = self._connection.execute(
                "SELECT at, phase, launch, note FROM history WHERE lease = ? ORDER BY seq", (name,)
            ).fetchall()
        return [
            HistoryRow(at=datetime.fromtimestamp(at, UTC), phase=LeasePhase(phase), launch=launch, note=note)
            for at, phase, launch, note in rows
        ]

    def account(self, budget: str) -> Account | None:
        """Say how a budget stands; None when nothing was ever reserved under this name."""
        with translated(self._path):
            return reservations.account(self._connection, budget)

    def set_aside(self, name: str) -> Money | None:
        """Say how much of its budgets is committed for a lease: what it can cost or, when it is over, has cost.

        None when it has no budget.
        """
        with translated(self._path):
            return reservations.set_aside(self._connection, name)

    def intend(self, lease: Lease, *, budgets: Sequence[Budget] = ()) -> None:
        """Write a new lease down and set aside what it can cost; nothing may be asked of the cloud before `request`.

        Raises:
            BudgetExceeded: when a budget does not allow it; then nothing is written.
            UsageError: when it is no new intent, or of another ledger.
        """
        if lease.phase is not LeasePhase.INTENDED or lease.spec.ledger != self.id:
            raise UsageError(
                f"lease {lease.id} is {lease.phase} and of ledger {lease.spec.ledger}; {self.id} takes its own"
            )
        with transaction(self._connection, self._path) as connection:
            if connection.execute("SELECT 1 FROM leases WHERE id = ?", (lease.id,)).fetchone():
                raise UsageError(f"there is a lease {lease.id!r} already")
            self._write(lease, note=f"intended: {lease.spec.offer}", at=lease.since)
            reservations.reserve(connection, lease, budgets, lease.since)

    def request(self, name: str, *, at: datetime) -> Lease:
        """Write down that the call is made now, the first time or again. Only then make it, with `token`."""
        return self._change(name, lambda lease: lease.requested(at=at), at=at)

    def retry(self, name: str, offer: Offer, *, at: datetime, refusal: Evidence) -> Lease:
        """After a refusal, intend to launch this offer instead; what is set aside becomes what this one can cost.

        Raises:
            BudgetExceeded: when a budget does not allow it; the lease stays as it was.
        """
        with transaction(self._connection, self._path) as connection:
            lease = self.lease(name).retried(offer, at=at, refusal=refusal)
            budgets = reservations.reserved_for(connection, name)
            reservations.release(connection, name)
            reservations.reserve(connection, lease, budgets, at)
            self._write(lease, note=f"refused: {refusal.text}; next: {offer}", at=at)
        return lease

    def confirm(
        self, name: str, machine: str, *, at: datetime, price: Price | None = None
    ) -> tuple[Lease, list[Budget]]:
        """Write down which machine the cloud has given, and at what price.

        Answers the lease, and the budgets that this price overdraws: the machine must then be ended.
        """

        def known(lease: Lease) -> Lease:
            return evolve(lease.become(LeasePhase.KNOWN, at=at), machine=machine, price=price or lease.price)

        with transaction(self._connection, self._path) as connection:
            lease = self._changed(name, known, note=f"machine {machine}", at=at)
            if price is not None:
                reservations.restate(connection, lease, lease.spec.ends_at)
            return lease, reservations.overdrawn(connection, name)

    def advance(self, name: str, phase: LeasePhase, *, at: datetime, note: str = "") -> Lease:
        """Take a lease to a phase that follows.

        Raises:
            ValueError: when it does not follow.
        """
        return self._change(name, lambda lease: lease.become(phase, at=at), note=note, at=at)

    def beat(self, names: Collection[str], *, at: datetime) -> None:
        """Write down that these machines were attended to; no step of their history."""
        with transaction(self._connection, self._path):
            for name in names:
                self._write(evolve(self.lease(name), beat_at=at))

    def seen(self, name: str) -> Lease:
        """Take back the misses of a machine that is listed after all."""
        with transaction(self._connection, self._path):
            lease = evolve(self.lease(name), misses=())
            self._write(lease)
        return lease

    def missed(self, name: str, *, at: datetime) -> Lease:
        """Write down that a list taken late enough lacked the machine."""
        return self._change(name, lambda each: evolve(each, misses=(*each.misses, at)), note="not listed", at=at)

    def keep(self, name: str, *, at: datetime) -> Lease:
        """Leave a machine to the next run of its project."""
        return self._change(name, lambda lease: evolve(lease, kept=True), note="kept for the next run", at=at)

    def hand_over(
        self, kept: str, name: str, *, run: str, pool: str, budgets: Sequence[Budget] = (), at: datetime
    ) -> Lease:
        """Let another run go on with a machine that was kept, under a lease of its own.

        Raises:
            ValueError: when it was not kept, or somebody else was faster.
            BudgetExceeded: when a budget does not allow it; then nothing is changed.
            UsageError: when there is a lease of the new name already.
        """
        with transaction(self._connection, self._path) as connection:
            before = self.lease(kept)
            lease = before.handed_over(name, run, pool, at=at)
            if connection.execute("SELECT 1 FROM leases WHERE id = ?", (name,)).fetchone():
                raise UsageError(f"there is a lease {name!r} already")
            self._write(lease, note=f"taken over from {kept}: machine {lease.machine}", at=at)
            reservations.reserve(connection, lease, budgets, at)
            connection.execute("UPDATE side_users SET lease = ? WHERE lease = ?", (name, kept))
            evidence = Evidence(proof=Proof.HANDED_OVER, text=f"machine {lease.machine} is under {name} now", at=at)
            after = before.become(LeasePhase.ABSENT, at=at, evidence=evidence)
            self._write(after, note=f"{evidence.proof}: {evidence.text}", at=at)
            reservations.restate(connection, after, at)
        return lease

    def absent(self, name: str, evidence: Evidence) -> Lease:
        """End a lease by evidence: what is set aside becomes what was spent, and its side resources lose a user.

        Raises:
            ValueError: when the evidence does not prove it.
        """
        with transaction(self._connection, self._path) as connection:
            before = self.lease(name)
            lease = self._changed(
                name,
                lambda each: each.become(LeasePhase.ABSENT, at=evidence.at, evidence=evidence),
                note=f"{evidence.proof}: {evidence.text}",
                at=evidence.at,
            )
            connection.execute("DELETE FROM side_users WHERE lease = ?", (name,))
            if before is lease:
                return lease
            if evidence.proof is Proof.NOT_LISTED and before.machine:
                # Billed by us to the end at most, whatever the clocks say.
                reservations.restate(connection, lease, min(before.misses[0], lease.spec.ends_at))
            else:
                reservations.release(connection, name)
        return lease

    @contextmanager
    def sides(self, provider: str, account: str) -> Iterator[SideResources]:
        """Hold the lock on side resources while uses of them are written down, or while they are swept: a sweep's calls
        to the cloud belong inside, so that no use begins meanwhile.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self._path.with_suffix(".sides.lock")))
            except OSError as error:
                raise LedgerError(f"the ledger {self._path} cannot be locked: {error.strerror}") from error
            yield SideResources(self._connection, self._path, provider, account)

    def _change(self, name: str, change: Callable[[Lease], Lease], *, at: datetime, note: str = "") -> Lease:
        with transaction(self._connection, self._path):
            return self._changed(name, change, at=at, note=note)

    def _changed(self, name: str, change: Callable[[Lease], Lease], *, at: datetime, note: str = "") -> Lease:
        before = self.lease(name)
        after = change(before)
        if after != before:
            self._write(after, note=note, at=at)
            return after
        return before

    def _write(self, lease: Lease, *, note: str = "", at: datetime | None = None) -> None:
        spec = lease.spec
        row = (lease.id, lease.provider, lease.account, spec.run, lease.phase, lease.machine, self._codec.encode(lease))
        # Not REPLACE, which deletes first, and what other tables say of the lease would be in its way.
        self._connection.execute(
            "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, "
            "machine = excluded.machine, body = excluded.body",
            row,
        )
        if at is not None:
            self._connection.execute(
                "INSERT INTO history (lease, at, phase, launch, note) VALUES (?, ?, ?, ?, ?)",
                (lease.id, at.timestamp(), lease.phase, lease.launch, note),
            )
