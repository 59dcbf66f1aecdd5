"""Budgets in the ledger: what each lease can cost at most is set aside before it is launched.

All of these run inside a transaction of the ledger, so that two processes never both get the last dollar.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from longshore.errors import BudgetExceeded
from longshore.model.budget import Account, Budget
from longshore.model.lease import Lease
from longshore.model.offer import cost_between
from longshore.model.quantity import Money

__all__ = ["account", "overdrawn", "release", "reserve", "reserved_for", "restate", "set_aside"]


def account(connection: sqlite3.Connection, name: str) -> Account | None:
    """Say how a budget stands; None when nothing was ever reserved under this name."""
    row = connection.execute("SELECT amount, currency FROM budgets WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    limit = Money(amount=Decimal(row[0]), currency=row[1])
    committed = _committed(connection, name)
    return Account(budget=Budget(name=name, limit=limit), committed=Money(amount=committed, currency=limit.currency))


def reserve(connection: sqlite3.Connection, lease: Lease, budgets: Sequence[Budget], now: datetime) -> None:
    """Set aside, in each budget, what the lease costs if it lives to its end.

    Raises:
        BudgetExceeded: when the price is unknown or of another currency, or too little is left. Names the budget.
    """
    for budget in budgets:
        price = lease.best_price
        if price is None:
            raise BudgetExceeded(
                f"nobody knows what {lease.spec.offer} costs, and {budget.name} has a limit of {budget.limit}; "
                "give its price in the config, or choose a type with a price"
            )
        cost = cost_between(price, now, lease.spec.ends_at)
        if cost.currency != budget.limit.currency:
            raise BudgetExceeded(
                f"{lease.spec.offer} is priced in {cost.currency}, and {budget.name} has a limit of {budget.limit}; "
                f"give the limit in {cost.currency}"
            )
        before = _committed(connection, budget.name)
        if before + cost.amount > budget.limit.amount:
            raise BudgetExceeded(
                f"{lease.spec.offer} can cost {cost} until its end; of the {budget.limit} of {budget.name} "
                f"{before:f} {cost.currency} are committed: raise max_cost, or let machines end sooner"
            )
        connection.execute(
            "INSERT INTO budgets VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET amount = excluded.amount, "
            "currency = excluded.currency",
            (budget.name, f"{budget.limit.amount:f}", budget.limit.currency),
        )
        connection.execute("INSERT INTO reservations VALUES (?, ?, ?)", (budget.name, lease.id, f"{cost.amount:f}"))


def reserved_for(connection: sqlite3.Connection, lease: str) -> list[Budget]:
    """List the budgets in which something is set aside for a lease."""
    rows = connection.execute(
        "SELECT name, b.amount, currency FROM reservations JOIN budgets b ON name = budget WHERE lease = ?", (lease,)
    )
    return [
        Budget(name=name, limit=Money(amount=Decimal(amount), currency=currency)) for name, amount, currency in rows
    ]


def set_aside(connection: sqlite3.Connection, lease: str) -> Money | None:
    """Say how much is committed for a lease in each of its budgets; None when it has none."""
    row = connection.execute(
        "SELECT r.amount, currency FROM reservations r JOIN budgets ON name = budget WHERE lease = ? LIMIT 1", (lease,)
    ).fetchone()
    return None if row is None else Money(amount=Decimal(row[0]), currency=row[1])


def release(connection: sqlite3.Connection, lease: str) -> None:
    """Give back what was set aside for a lease that has cost nothing."""
    connection.execute("DELETE FROM reservations WHERE lease = ?", (lease,))


def restate(connection: sqlite3.Connection, lease: Lease, until: datetime) -> None:
    """Commit what the lease really costs from its request until a moment, be it more or less than was set aside.

    What has been spent is spent: this may go over the limit, and `overdrawn` then says so.
    """
    if lease.best_price is None or lease.requested_at is None:
        return
    cost = cost_between(lease.best_price, lease.requested_at, until)
    connection.execute("UPDATE reservations SET amount = ? WHERE lease = ?", (f"{cost.amount:f}", lease.id))


def overdrawn(connection: sqlite3.Connection, lease: str) -> list[Budget]:
    """List the budgets of a lease in which more is committed than they have."""
    return [each for each in reserved_for(connection, lease) if _committed(connection, each.name) > each.limit.amount]


def _committed(connection: sqlite3.Connection, name: str) -> Decimal:
    amounts = connection.execute("SELECT amount FROM reservations WHERE budget = ?", (name,))
    # Summed here: SQLite would add them as floating-point numbers.
    return sum((Decimal(amount) for (amount,) in amounts), Decimal(0))
