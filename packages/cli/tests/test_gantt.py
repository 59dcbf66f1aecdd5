"""Bars and shares of cost: nothing overlaps, nothing is lost, and what is paid is what it adds up to."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from longshore.model.command import Shell
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.attempt_rows import AttemptRow
from longshore.runtime.fleet_rows import BuildRow, LeaseRow, MachineRow
from longshore.runtime.history import RunInfo, TaskInfo
from longshore.runtime.output_rows import MoveRow
from longshore.scheduler.graph import expand
from longshore_cli.report.chart import COLOURS, MOST_LANES, chart
from longshore_cli.report.gantt import fitted, gantt_of
from longshore_cli.report.graph import graph_svg, outcomes
from longshore_cli.report.page import page
from longshore_cli.report.record import Record
from longshore_cli.report.sections import environments
from longshore_cli.report.spending import UNUSED, spending_of
from longshore_cli.report.summary_table import money

BEGIN = 1_000_000.0
MACHINES = ["m", "n"]


def attempt(
    begin: float, took: float, *, machine: str = "m", task: str = "t", outcome: str = "exit code 0", staged: float = 0.0
) -> AttemptRow:
    return AttemptRow(
        task=task,
        attempt=1,
        machine=machine,
        intended=BEGIN + begin - staged,
        staged=BEGIN + begin if staged else None,
        started=BEGIN + begin,
        ended=BEGIN + begin + took,
        heard=BEGIN + begin + took,
        outcome=outcome,
        failure="" if outcome == "exit code 0" else "user code",
        evidence="",
        cpu_seconds=0.0,
        peak_memory_bytes=0,
        workdir="",
    )


def record(
    *attempts: AttemptRow,
    leases: tuple[LeaseRow, ...] = (),
    builds: tuple[BuildRow, ...] = (),
    moves: tuple[MoveRow, ...] = (),
    phases: dict[str, str] | None = None,
    seconds: float = 100.0,
    cpus: float = 1.0,
) -> Record:
    phases = phases or {"t": "succeeded", "u": "succeeded"}
    specs = tuple(TaskSpec(name=name, command=Shell("true"), needs=Resources(cpus=cpus)) for name in phases)
    return Record(
        info=RunInfo(
            id="r",
            workflow="w",
            state="succeeded",
            started=datetime.fromtimestamp(BEGIN, UTC),
            ended=datetime.fromtimestamp(BEGIN + seconds, UTC),
            tasks=len(specs),
        ),
        workflow=WorkflowSpec(name="w", tasks=specs),
        tasks=tuple(task for spec in specs for task in expand(spec)),
        stands={
            name: TaskInfo(id=name, phase=phase, attempts=1, machine="m", failure="") for name, phase in phases.items()
        },
        attempts=attempts,
        rests=(),
        builds=builds,
        machines=tuple(
            MachineRow(machine=name, pool="p", cpus=4.0, added=BEGIN, gone=None, reason="") for name in MACHINES
        ),
        leases=leases,
        moves=moves,
        outputs=(),
    )


attempts = st.builds(
    attempt,
    st.integers(0, 90).map(float),
    st.integers(0, 10).map(float),
    machine=st.sampled_from(MACHINES),
    outcome=st.sampled_from(["exit code 0", "exit code 1"]),
)


@given(st.lists(attempts, max_size=40))
def test_bars_of_one_lane_do_not_overlap_and_there_are_no_more_lanes_than_needed(rows: list[AttemptRow]) -> None:
    gantt = gantt_of(record(*rows))
    assert len(gantt.bars) == len(rows)
    for one in gantt.bars:
        others = [bar for bar in gantt.bars if bar is not one and (bar.machine, bar.lane) == (one.machine, one.lane)]
        assert all(bar.end <= one.begin or one.end <= bar.begin for bar in others)
    for machine, lanes in gantt.lanes.items():
        own = [bar for bar in gantt.bars if bar.machine == machine]
        most = max(sum(bar.begin <= now < bar.end or bar.begin == now == bar.end for bar in own) for now in range(101))
        assert lanes <= most


@example([attempt(0, 0), attempt(0, 0)], 1)
@example([attempt(0, 0), attempt(8, 0)], 1)
@given(st.lists(attempts, min_size=1, max_size=60), st.integers(1, 40))
def test_merging_keeps_every_bar_within_one_of_its_kind(rows: list[AttemptRow], most: int) -> None:
    whole = gantt_of(record(*rows))
    shown = fitted(whole, most)
    assert sum(bar.count for bar in shown.bars) == len(rows)
    kinds = Counter((bar.machine, bar.lane, bar.kind) for bar in shown.bars)
    assert len(shown.bars) <= most or set(kinds.values()) == {1}
    for bar in whole.bars:
        assert any(
            (each.machine, each.lane, each.kind) == (bar.machine, bar.lane, bar.kind)
            and each.begin <= bar.begin
            and bar.end <= each.end
            for each in shown.bars
        )


def test_a_run_of_very_many_bars_is_not_drawn_as_a_single_one() -> None:
    gantt = gantt_of(record(*(attempt(n / 100, 0.009) for n in range(9_000))))
    assert 100 <= len(fitted(gantt, 200).bars) <= 200


def test_lanes_that_are_not_drawn_are_told() -> None:
    run = record(*(attempt(0, 1, task=f"t{number}") for number in range(MOST_LANES + 1)))
    gantt = gantt_of(run)

    text = page(run, [run.figures], gantt, str)

    assert f"Of {MOST_LANES + 1} lanes the first {MOST_LANES} are drawn" in text
    assert len(chart(gantt, width=100, title="")["data"]["values"]) == MOST_LANES


def test_few_bars_stay_as_they_are() -> None:
    gantt = gantt_of(record(attempt(0, 1), attempt(1, 1)))
    assert fitted(gantt, 2) == gantt


LEASE = LeaseRow(
    lease="p-1",
    pool="p",
    machine="m",
    kind="small",
    spot=False,
    asked=BEGIN,
    ready=BEGIN + 20,
    over=BEGIN + 100,
    cost=Money(amount=Decimal("0.10"), currency="USD"),
)


BUILD = BuildRow(
    environment="sci",
    number=1,
    machine="m",
    begun=BEGIN + 20,
    ended=BEGIN + 30,
    reused=False,
    failure="",
    evidence="",
    locks={},
    python="",
)


def test_the_chart_has_boots_builds_transfers_and_attempts_by_how_they_ended() -> None:
    gantt = gantt_of(
        record(
            attempt(35, 10, staged=5),
            attempt(50, 10, task="u", outcome="exit code 1"),
            leases=(LEASE,),
            builds=(BUILD,),
            moves=(
                MoveRow(task="t", machine="m", target="", at=BEGIN + 47, size_bytes=1),
                MoveRow(task="t", machine="m", target="n", at=BEGIN + 48, size_bytes=2_000_000),
                MoveRow(task="t", machine="m", target="n", at=BEGIN + 48, size_bytes=2_000),
            ),
        )
    )
    assert [(bar.kind, bar.begin, bar.end, bar.task) for bar in sorted(gantt.bars, key=lambda bar: bar.begin)] == [
        ("booting", 0, 20, ""),
        ("environment", 20, 30, ""),
        ("inputs", 30, 35, "t"),
        ("succeeded", 35, 45, "t"),
        ("outputs", 45, 47, "t"),
        ("outputs", 48, 48, "t"),
        ("failed", 50, 60, "u"),
    ]
    assert {bar.kind for bar in gantt.bars} <= set(COLOURS)
    declared = chart(gantt, width=100, title="title")
    assert declared["encoding"]["y"]["axis"]["values"] == ["m", "n"]
    assert [row["kind"] for row in declared["data"]["values"]].count("failed") == 1


@given(st.lists(attempts, max_size=20), st.sampled_from([0.5, 1.0, 4.0, 9.0]))
def test_what_tasks_cost_and_what_nobody_used_add_up_to_what_was_paid(rows: list[AttemptRow], cpus: float) -> None:
    found = spending_of(record(*rows, leases=(LEASE,), cpus=cpus))
    sums = [cost.amount for costs in found.by_task.values() for cost in costs]
    assert sum(sums) == Decimal("0.10")
    assert min(sums) >= 0
    assert found.by_pool == {"p": (LEASE.cost,)}


def test_a_task_pays_for_its_part_of_a_machine_and_of_its_time() -> None:
    """Half of the time on a quarter of the cpus, then a quarter of it on as many."""
    found = spending_of(record(attempt(0, 50), attempt(60, 25, task="u"), leases=(LEASE,)))
    assert {name: float(costs[0].amount) for name, costs in found.by_task.items()} == pytest.approx(
        {"t": 0.0125, "u": 0.00625, UNUSED: 0.08125}
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "0.00 USD"), ("12.345", "12.35 USD"), ("0.0123", "0.012 USD"), ("0.0000001", "less than 0.000001 USD")],
)
def test_small_amounts_are_shown_so_that_they_say_something(amount: str, shown: str) -> None:
    assert money(Money(amount=Decimal(amount), currency="USD")) == shown


def test_an_environment_is_told_with_what_was_installed_and_a_failed_one_with_its_proof() -> None:
    built = evolve(BUILD, locks={"txt": "numpy==2.1\nscipy==1.14\n", "apt.txt": "gdal-bin=3.6\n"})
    failed = evolve(BUILD, failure="environment", evidence="no <such> package")
    text = environments(record(builds=(built, failed))).text
    assert "<summary>sci.txt</summary><pre>numpy==2.1\nscipy==1.14\n</pre>" in text
    assert "<summary>sci.apt.txt</summary><pre>gdal-bin=3.6\n</pre>" in text
    assert "no &lt;such&gt; package" in text


def test_of_a_build_that_failed_the_line_that_is_shown_first_says_what_failed() -> None:
    failed = evolve(BUILD, failure="environment", evidence="pip: nosuch\nexit code 1\nerror: No solution found\n")
    assert (
        "<summary>pip: nosuch</summary><pre>pip: nosuch\nexit code 1\n" in environments(record(builds=(failed,))).text
    )


def drawn_as(phase: str) -> str:
    told = record(phases={"t": phase})
    return graph_svg(told.workflow, outcomes(told))


def test_a_box_of_the_graph_has_the_colour_of_its_worst_task_and_says_so() -> None:
    drawn = {name: drawn_as(phase) for name, phase in [("good", "succeeded"), ("bad", "lost"), ("idle", "waiting")]}
    assert "#e3f4ea" in drawn["good"]
    assert "#fde6dc" in drawn["bad"]
    assert ">lost<" in drawn["bad"]
    assert ">waiting<" in drawn["idle"]
