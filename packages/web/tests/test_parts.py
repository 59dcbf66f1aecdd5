"""Parts of pages that runs on this computer do not have: rented machines, moves, and very many lanes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from attrs import evolve

from longshore.model.quantity import Money
from longshore.runtime.fleet_rows import LeaseRow, MachineRow
from longshore.runtime.history import RunReader
from longshore.runtime.output_rows import MoveRow
from longshore.runtime.overview import MachineNow, Overview, read_overview
from longshore_cli.report.gantt import Bar, Gantt
from longshore_cli.watching import Moment
from longshore_web.frame import View
from longshore_web.pages.machines import machines_page
from longshore_web.pages.task import moves_table
from longshore_web.pages.timeline import drawn

from .serving import Served

BEGAN = 1_800_000_000.0
LEASE = LeaseRow(
    lease="cloud-1",
    pool="cloud",
    machine="i-<1>",
    kind="c5.large",
    spot=True,
    asked=BEGAN,
    ready=BEGAN + 60,
    over=None,
    cost=None,
    price=Money(amount=Decimal("0.36"), currency="USD"),
)
ROW = MachineRow(machine="i-<1>", pool="cloud", cpus=2.0, added=BEGAN + 60, gone=None, reason="")


@pytest.fixture
def overview(served: Served) -> Overview:
    folder: Path = served.project.folder / ".longshore" / "runs"
    return read_overview(RunReader(next(each for each in folder.iterdir() if (each / "run.db").is_file())))


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_rented_machine_is_shown_with_its_load_and_what_it_has_cost_so_far(overview: Overview) -> None:
    there = MachineNow(row=ROW, lease=LEASE, live=1, ended=4)
    gone = MachineNow(row=evolve(ROW, machine="i-2", gone=BEGAN + 90, reason="preempted"), lease=None, live=0, ended=0)
    booting = evolve(LEASE, lease="cloud-2", machine="", price=None)
    seen = evolve(overview, machines=[gone, there], leases=[LEASE, booting])
    used = Moment("run")
    load: Mapping[str, object] = {"cpus": 1.5, "memory": {"bytes": 1 << 30, "of": 2 << 30}, "attempts": []}
    used.take({"machine": "i-<1>", "pool": "cloud", "cores": 2.0, "load": load})

    page = machines_page(View(overview=seen, moment=BEGAN + 3600), used, skip=0, most=100)

    text = words(page)
    assert "i-<1> cloud c5.large, spot 1 4 1.50 / 2 1 GiB / 2 GiB" in text
    assert text.index("i-<1>") < text.index("i-2"), "those that are there come first"
    assert "preempted" in text
    assert "Cost so far: 0.36 USD." in text
    assert "Rented, and not ready yet" in text
    assert "cloud-2" in text


def test_a_move_is_shown_with_both_ends(overview: Overview) -> None:
    began = overview.info.started.timestamp()
    rows = [
        MoveRow(task="fit[n=1]", machine="a", target="", at=began + 5, size_bytes=2048),
        MoveRow(task="fit[n=2]", machine="a", target="b", at=began + 6, size_bytes=1),
    ]
    text = words(moves_table(View(overview=overview, moment=began), rows).text)
    assert "fit[n=1] a the project's store 2 KiB" in text
    assert "fit[n=2] a b 1 B" in text


def test_a_timeline_of_very_many_lanes_says_what_it_leaves_out() -> None:
    bars = tuple(
        Bar(machine="<m>", lane=lane, begin=0.0, end=1.0, kind="succeeded", task=f"t{lane}", words="attempt 1")
        for lane in range(1000)
    )
    gantt = Gantt(bars=bars, lanes={"<m>": 1000}, seconds=1.0)
    text = drawn(gantt, gantt, datetime.now(UTC)).text
    assert "The first 400 lanes are shown." in text
    assert text.count("<rect") == 400
    assert "<m>" not in text


def test_a_timeline_of_nothing_says_so() -> None:
    empty = Gantt(bars=(), lanes={}, seconds=0.0)
    assert words(drawn(empty, empty, datetime.now(UTC)).text) == "Nothing has run."
