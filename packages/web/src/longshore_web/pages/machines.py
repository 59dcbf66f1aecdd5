"""The machines of a run: what is on them, what they use, and what they have cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from longshore.model.quantity import Money
from longshore.runtime.overview import MachineNow
from longshore_cli.report.figures import add_up
from longshore_cli.report.html import Html, element, table
from longshore_cli.report.summary_table import money
from longshore_cli.text import clean, counted, duration, moment
from longshore_cli.watching import ATTEMPT_HEADINGS, Moment
from longshore_web.frame import View, run_page
from longshore_web.html import NOTHING, link, pager

__all__ = ["machines_page"]

_HEADINGS = ["machine", "pool", "type", "tasks now", "ended", "cpu", "memory", "disk", "since", "cost", "gone because"]


def machines_page(view: View, used: Moment | None, *, skip: int, most: int) -> str:
    """Write the page of the machines; ``used`` is what they use now, as far as that is known."""
    return run_page(view, "machines", _parts(view, used, skip, most), told="loads")


def _parts(view: View, used: Moment | None, skip: int, most: int) -> Iterator[Html]:
    overview = view.overview
    if not overview.machines and not overview.leases:
        yield element("p", "There is no machine yet.")
        return
    # Those that are there come first: they are what one looks for.
    machines = sorted(overview.machines, key=lambda each: each.row.gone is not None)
    loads = {row[0]: row for row in used.machine_rows()} if used is not None else {}
    rows = [_row(view, each, loads) for each in machines[skip : skip + most]]
    yield pager(skip, most, len(machines), ("runs", view.run, "machines"), {"at": view.at})
    there = sum(each.row.gone is None for each in machines)
    caption = f"{counted(there, 'machine')} there, {len(machines):,} in all"
    yield table(caption, _HEADINGS, rows, numbers=(3, 4, 5, 6, 7, 9), words=(10,))
    yield _booting(view)
    costs = add_up(lease.cost_until(view.moment) for lease in overview.leases)
    if costs:
        yield element("p", f"Cost so far: {', '.join(map(money, costs))}.")
    if used is not None and used.attempt_rows():
        yield element("h3", "What runs")
        headings = [word.lower() for word in ATTEMPT_HEADINGS]
        yield table("What attempts use now", headings, used.attempt_rows()[:most], numbers=(1, 3, 4, 5))
    elif not view.at and overview.info.state == "running" and used is None:
        yield element("p", "What machines use is measured only while somebody looks, by a page with JavaScript.")


def _row(view: View, each: MachineNow, loads: Mapping[str, list[str]]) -> list[str | Html]:
    row, lease = each.row, each.lease
    kind = f"{lease.kind}{', spot' if lease.spot else ''}" if lease is not None else ""
    cost = lease.cost_until(view.moment) if lease is not None else None
    load = loads.get(clean(row.machine))
    return [
        link(row.machine, view.to("tasks", machine=row.machine)),
        row.pool,
        kind,
        f"{each.live:,}",
        f"{each.ended:,}",
        *(load[2:5] if load is not None else (f"{row.cpus:g}", "", "")),
        moment(datetime.fromtimestamp(row.added, UTC)),
        _money(cost),
        "" if row.gone is None else row.reason or "gone",
    ]


def _money(cost: Money | None) -> str:
    return "" if cost is None or cost.amount == Decimal(0) else money(cost)


def _booting(view: View) -> Html:
    known = {each.row.machine for each in view.overview.machines}
    rows: list[list[str | Html]] = [
        [
            lease.lease,
            lease.pool,
            f"{lease.kind}{', spot' if lease.spot else ''}",
            duration(timedelta(seconds=max(0.0, view.moment - lease.asked))),
            _money(lease.cost_until(view.moment)),
        ]
        for lease in view.overview.leases
        if lease.machine not in known and lease.over is None
    ]
    headings = ["lease", "pool", "type", "asked for since", "cost"]
    return table("Rented, and not ready yet", headings, rows, numbers=(3, 4)) if rows else NOTHING
