"""What the tables of the full-screen view say. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from longshore.runtime.history import TaskInfo
from longshore.runtime.overview import Overview
from longshore.scheduler.graph import depths, producers
from longshore_cli.report.figures import add_up
from longshore_cli.report.summary_table import money
from longshore_cli.text import clean, counts, duration, shorten
from longshore_cli.watching import Moment

__all__ = ["GRAPH", "MACHINES", "TASKS", "Row", "graph_rows", "headline", "machine_rows", "task_rows"]

GRAPH = ("task", "tasks", "state", "waits for")
TASKS = ("task", "state", "class", "tries", "machine")
MACHINES = ("machine", "now", "cpu", "memory", "cost", "type")
_LONGEST = 40


@frozen
class Row:
    """A row of a table, with what it is known by."""

    key: str
    cells: tuple[str, ...]


def headline(overview: Overview, until: float) -> str:
    """Say in a line how a run stands; ``until`` is the moment to which costs are counted."""
    info = overview.info
    parts = [f"{info.workflow}, run {info.id}: {info.state}", counts(info.phases) or "no tasks"]
    if info.ended is not None:
        parts.append(f"took {duration(info.ended - info.started)}")
    costs = add_up(lease.cost_until(until) for lease in overview.leases)
    if costs:
        parts.append(f"cost {', '.join(map(money, costs))}")
    return clean(" | ".join(parts))


def graph_rows(overview: Overview) -> list[Row]:
    """Give a row for each task as written: those that others wait for stand before these, and further left."""
    specs = overview.shape.workflow.tasks
    depth = depths(specs)
    highest = max(depth.values(), default=1)
    waits = {spec.name: sorted(producers(spec) & depth.keys()) for spec in specs}
    groups = sorted(overview.groups, key=lambda group: -depth.get(group.name, 1))
    return [
        Row(
            group.name,
            (
                "  " * min(8, highest - depth.get(group.name, 1)) + shorten(group.name, _LONGEST),
                f"{group.tasks:,}",
                counts(group.phases),
                shorten(", ".join(waits.get(group.name, ())), _LONGEST),
            ),
        )
        for group in groups
    ]


def task_rows(tasks: Sequence[TaskInfo]) -> list[Row]:
    """Give a row for each task."""
    return [Row(each.id, (each.id, each.phase, each.failure, str(each.attempts), each.machine)) for each in tasks]


def machine_rows(overview: Overview, used: Moment | None, until: float) -> list[Row]:
    """Give a row for each machine that is there, for what is rented and not ready, and for those that are gone."""
    loads: Mapping[str, list[str]] = {row[0]: row for row in used.machine_rows()} if used is not None else {}
    there: list[Row] = []
    gone: list[Row] = []
    for each in overview.machines:
        row, lease = each.row, each.lease
        load = loads.get(clean(row.machine))
        cost = lease.cost_until(until) if lease is not None else None
        cells = (
            shorten(row.machine, _LONGEST),
            f"{each.live:,}" if row.gone is None else "gone",
            load[2] if load is not None else f"{row.cpus:g}",
            load[3] if load is not None else "",
            money(cost) if cost is not None else "",
            f"{lease.kind}{', spot' if lease.spot else ''}" if lease is not None else row.pool,
        )
        (there if row.gone is None else gone).append(Row(row.machine, cells))
    known = {each.row.machine for each in overview.machines}
    for lease in overview.leases:
        if lease.over is None and lease.machine not in known:
            cost = lease.cost_until(until)
            there.append(Row(lease.lease, ("boots", "", "", "", money(cost) if cost else "", lease.kind)))
    return [*there, *gone]
