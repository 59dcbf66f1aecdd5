"""What machines a run had, what it paid for them and what it built on them, as rows, read from the journal by SQL.

Moments are seconds since 1970, by the controller's clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from attrs import evolve, frozen

from longshore.model.quantity import Money
from longshore.runtime.history import RunReader

__all__ = ["BuildRow", "LeaseRow", "MachineRow", "read_builds", "read_leases", "read_machines"]

_HOUR = timedelta(hours=1).total_seconds()


@frozen(kw_only=True)
class BuildRow:
    """An environment that a machine was asked for."""

    environment: str
    number: int
    machine: str
    begun: float
    ended: float | None
    reused: bool
    """Whether it was there already."""
    failure: str
    evidence: str
    locks: Mapping[str, str]
    """What is installed: contents of files by name, as in ``conda.txt`` and, for what pip has installed, ``txt``."""
    python: str


@frozen(kw_only=True)
class MachineRow:
    """A machine that could take attempts."""

    machine: str
    pool: str
    cpus: float
    added: float
    gone: float | None
    """When it was gone for the last time; None while it is there, also when it has come back."""
    reason: str
    """Why it is gone."""


@frozen(kw_only=True)
class LeaseRow:
    """What was rented."""

    lease: str
    pool: str
    machine: str
    kind: str
    """The cloud's name for such a machine."""
    spot: bool
    asked: float
    ready: float | None
    over: float | None
    """When it was gone, or was left to the next run; None while it costs money."""
    cost: Money | None
    """By its price an hour, until it was over or the last event; None where nobody knows a price."""
    price: Money | None = None
    """What it costs an hour, while it costs money; None when it is over or nobody knows."""

    def cost_until(self, moment: float) -> Money | None:
        """Say what it has cost until a moment; None where nobody knows a price."""
        if self.price is None:
            return self.cost
        hours = Decimal(max(0.0, moment - self.asked)) / Decimal(_HOUR)
        return Money(amount=self.price.amount * hours, currency=self.price.currency)


_BUILDS = """
    SELECT body ->> 'environment', body ->> 'number', max(body ->> 'machine'), min(at),
        max(at) FILTER (WHERE kind <> 'BuildIntended'), max(body ->> 'reused'), max(body ->> 'failure'),
        max(body ->> 'evidence'), max(body ->> 'lock'), max(body ->> 'python'), max(body ->> 'locks')
    FROM events WHERE kind IN ('BuildIntended', 'EnvironmentBuilt', 'EnvironmentFailed')
    GROUP BY 1, 2 ORDER BY min(seq)
"""


def read_builds(reader: RunReader) -> list[BuildRow]:
    """List the environments that machines were asked for, in that order."""
    with reader._reading() as db:
        rows = db.execute(_BUILDS).fetchall()
    return [
        BuildRow(
            environment=row[0],
            number=row[1],
            machine=row[2],
            begun=row[3],
            ended=row[4],
            reused=bool(row[5]),
            failure=row[6] or "",
            evidence=row[7] or "",
            locks=dict([*json.loads(row[10] or "[]"), *([("txt", row[8])] if row[8] else ())]),
            python=row[9] or "",
        )
        for row in rows
    ]


_MACHINES = """
    SELECT kind, body ->> 'machine', at, body ->> 'pool', body ->> '$.resources[0]', body ->> 'reason'
    FROM events WHERE kind IN ('MachineAdded', 'MachineGone') ORDER BY seq
"""


def read_machines(reader: RunReader) -> list[MachineRow]:
    """List the machines that could take attempts, in the order in which they came."""
    found: dict[str, MachineRow] = {}
    with reader._reading() as db:
        for kind, machine, at, pool, cpus, reason in db.execute(_MACHINES):
            before = found.get(machine)
            if kind == "MachineAdded":
                # One that was out of reach comes back.
                added = at if before is None else before.added
                found[machine] = MachineRow(machine=machine, pool=pool, cpus=cpus, added=added, gone=None, reason="")
            elif before is not None:
                found[machine] = evolve(before, gone=at, reason=reason)
    return list(found.values())


_LEASES = """
    WITH told AS (
        SELECT seq, kind, at, body, body ->> 'lease' AS lease, body ->> 'phase' AS phase FROM events
        WHERE kind IN ('LeaseIntended', 'LeaseChanged'))
    SELECT lease, max(body ->> 'pool'), max(body ->> 'machine'), max(body ->> '$.offer[0]'),
        max(body ->> '$.offer[3]'), min(at), min(at) FILTER (WHERE phase = 'ready'),
        min(at) FILTER (WHERE phase = 'absent' OR body ->> 'kept'), max(body ->> '$.price[0]'),
        max(body ->> '$.price[1]'), max(body ->> '$.cost[0]') FILTER (WHERE phase = 'absent'),
        (SELECT max(at) FROM events)
    FROM told GROUP BY 1 ORDER BY min(seq)
"""


def read_leases(reader: RunReader) -> list[LeaseRow]:
    """List what was rented, in the order in which it was asked for."""
    with reader._reading() as db:
        rows = db.execute(_LEASES).fetchall()
    return [
        LeaseRow(
            lease=lease,
            pool=pool,
            machine=machine or "",
            kind=kind or "",
            spot=bool(spot),
            asked=asked,
            ready=ready,
            over=over,
            cost=_cost(price, currency, cost, (last if over is None else over) - asked) if machine else None,
            price=_cost(price, currency, None, _HOUR) if machine and over is None and cost is None else None,
        )
        for lease, pool, machine, kind, spot, asked, ready, over, price, currency, cost, last in rows
    ]


def _cost(price: str | None, currency: str | None, known: str | None, seconds: float) -> Money | None:
    if price is None or currency is None:
        return None
    if known is not None:
        return Money(amount=Decimal(known), currency=currency)
    return Money(amount=Decimal(price) * Decimal(max(0.0, seconds)) / Decimal(_HOUR), currency=currency)
