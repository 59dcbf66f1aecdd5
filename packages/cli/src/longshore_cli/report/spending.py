"""Who spent what: the cost of leases by pool, and by the tasks that used them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import frozen

from longshore.model.quantity import Money
from longshore_cli.report.figures import add_up
from longshore_cli.report.record import Record, written_name

__all__ = ["UNUSED", "Spending", "spending_of"]

UNUSED = ""
"""Stands where a task's name would: what was paid for while no task used it."""


@frozen(kw_only=True)
class Spending:
    """What was paid, one sum for each currency."""

    by_pool: Mapping[str, tuple[Money, ...]]
    by_task: Mapping[str, tuple[Money, ...]]
    """By id; `UNUSED` for the rest. Together they are what was paid."""
    by_written: Mapping[str, tuple[Money, ...]]
    """The same by tasks as written."""


def spending_of(record: Record) -> Spending:
    """Divide what each lease cost among those who used its machine, by cpus and time."""
    shares: dict[str, list[Money]] = {}
    for lease in record.leases:
        if lease.cost is None:
            continue
        rest = lease.cost.amount
        for task, part in _parts(record, lease.machine, (lease.over or record.ended) - lease.asked).items():
            share = min(rest, lease.cost.amount * part)
            rest -= share
            shares.setdefault(task, []).append(Money(amount=share, currency=lease.cost.currency))
        shares.setdefault(UNUSED, []).append(Money(amount=rest, currency=lease.cost.currency))
    written: dict[str, list[Money]] = {}
    for task, sums in shares.items():
        written.setdefault(written_name(task), []).extend(sums)
    pools = {lease.pool for lease in record.leases}
    return Spending(
        by_pool={pool: add_up(each.cost for each in record.leases if each.pool == pool) for pool in sorted(pools)},
        by_task={task: add_up(sums) for task, sums in shares.items()},
        by_written={task: add_up(sums) for task, sums in written.items()},
    )


def _parts(record: Record, machine: str, seconds: float) -> dict[str, Decimal]:
    """Say which part of a machine's time and cpus each task had."""
    cpus = max((each.cpus for each in record.machines if each.machine == machine), default=0.0)
    parts: dict[str, Decimal] = {}
    for each in record.by_machine.get(machine, ()):
        if each.seconds is None or seconds <= 0 or cpus <= 0:
            continue
        spec = record.specs.get(written_name(each.task))
        needed = min(cpus, spec.needs.cpus) if spec is not None else cpus
        part = Decimal(each.seconds / seconds) * Decimal(needed / cpus)
        parts[each.task] = parts.get(each.task, Decimal(0)) + part
    return parts
