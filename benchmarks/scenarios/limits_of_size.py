"""Very many tasks: how long a plan takes, what a run keeps in memory, and what it costs to come back to one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import longshore_side
import processes
from bench import Bench
from figures import OURS, PAGE, PEAK, WALL, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line, start_process, typical
from scenarios.base import Contender, Scenario, enter_or_excuse
from shapes import fan

PLANNED_IN_PYTHON = f"{OURS}-python"
SET_UP_SECONDS = 900
LOOK_AGAIN_SECONDS = 0.05


def plan_scenario(tasks: int) -> Scenario:
    """Build and plan, from one for_each and from Python."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [
            _costed(OURS, "longshore plan, for_each", lambda: longshore_side.plan_from_toml(bench, tasks)),
            _costed(PLANNED_IN_PYTHON, "longshore plan, Python", lambda: longshore_side.plan_from_python(bench, tasks)),
        ]

    limits = ((WALL, 3.0), (PEAK, 400e6))
    bars = tuple(
        Bar(subject=subject, promise=Promise.BELOW, limit=below, quantity=quantity)
        for subject in (OURS, PLANNED_IN_PYTHON)
        for quantity, below in limits
    )
    return Scenario(name=f"plan-{tasks}", title=f"plan {tasks:,} tasks", tasks=tasks, enter=enter, bars=bars)


def memory_scenario(tasks: int) -> Scenario:
    """Run very many tasks and watch the memory of all processes together."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        graph = fan(tasks)
        return [_costed(OURS, "longshore", lambda: longshore_side.runner(bench, graph), whole_tree=True)]

    return Scenario(
        name=f"memory-{tasks}",
        title=f"memory of a run of {tasks:,} tasks (controller and supervisor)",
        tasks=tasks,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=1e9, quantity=PEAK),),
        most_rounds=1,
    )


def resume_scenario(tasks: int) -> Scenario:
    """Continue a run whose controller was killed when all tasks but the last had finished."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            run, resume = longshore_side.unfinished(bench, tasks), longshore_side.resume(bench)

            def measure(folder: Path) -> Reading:
                leave_unfinished(run(folder), folder)
                (folder / "gate").touch()
                return {WALL: execute(resume(folder)).wall_seconds}

            return Contender(name=OURS, label="longshore resume", measure=measure)

        return [enter_or_excuse(OURS, "longshore resume", contender)]

    return Scenario(
        name=f"resume-{tasks}",
        title=f"resume a run of which {tasks:,} tasks have finished",
        tasks=None,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=1.0),),
    )


def status_scenario(tasks: int) -> Scenario:
    """Ask for the state of a finished run."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            run, status = longshore_side.runner(bench, fan(tasks)), longshore_side.status(bench)
            return Contender(
                name=OURS,
                label="longshore status",
                measure=lambda folder: {WALL: typical(status(folder), times=5)},
                set_up=lambda folder: _run_once(run(folder)),
            )

        return [enter_or_excuse(OURS, "longshore status", contender)]

    return Scenario(
        name=f"status-{tasks}",
        title=f"status of a run of {tasks:,} tasks",
        tasks=None,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=0.3),),
    )


def report_scenario(tasks: int) -> Scenario:
    """Write the report of a finished run: its page, tables and pictures."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            run, report = longshore_side.runner(bench, fan(tasks)), longshore_side.report(bench)

            def measure(folder: Path) -> Reading:
                seconds = execute(report(folder)).wall_seconds
                return {WALL: seconds, PAGE: float((folder / longshore_side.REPORT / "report.html").stat().st_size)}

            return Contender(
                name=OURS,
                label="longshore report",
                measure=measure,
                set_up=lambda folder: _run_once(run(folder)),
            )

        return [enter_or_excuse(OURS, "longshore report", contender)]

    return Scenario(
        name=f"report-{tasks}",
        title=f"report of a run of {tasks:,} tasks",
        tasks=None,
        enter=enter,
        bars=(
            Bar(subject=OURS, promise=Promise.BELOW, limit=5.0),
            Bar(subject=OURS, promise=Promise.BELOW, limit=5e6, quantity=PAGE),
        ),
    )


def collect_scenario(rows: int) -> Scenario:
    """Collect the rows of members in one table; start-up is not counted."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [enter_or_excuse(_collected(table), table, partial(_collecting, bench, table, rows)) for table in TABLES]

    bars = [
        Bar(subject=_collected(table), promise=Promise.BELOW, limit=limit, quantity=quantity)
        for table in TABLES
        for quantity, limit in ((WALL, 2.0), (PEAK, 100e6))
    ]
    return Scenario(
        name=f"collect-{rows}", title=f"collecting {rows:,} rows", tasks=None, enter=enter, bars=tuple(bars)
    )


TABLES = ("table.csv", "table.sqlite")
_COLLECTING = Path(__file__).parent.parent / "probes" / "collecting.py"


def _collected(table: str) -> str:
    return f"{OURS}-{table.partition('.')[2]}"


def _collecting(bench: Bench, table: str, rows: int) -> Contender:
    def measure(folder: Path) -> Reading:
        command = longshore_side.probe(bench, _COLLECTING, table, str(rows), "collected")(folder)
        execute(command)
        seconds, peak = map(float, last_line(command.folder / "output.log").split())
        return {WALL: seconds, PEAK: peak}

    return Contender(name=_collected(table), label=table, measure=measure)


def _costed(
    name: str, label: str, command: Callable[[], longshore_side.Prepare], *, whole_tree: bool = False
) -> Contender | Contestant:
    def contender() -> Contender:
        prepare = command()

        def measure(folder: Path) -> Reading:
            cost = execute(prepare(folder), sample_tree=whole_tree)
            return {WALL: cost.wall_seconds, PEAK: float(cost.peak_bytes)}

        return Contender(name=name, label=label, measure=measure)

    return enter_or_excuse(name, label, contender)


def _run_once(command: Invocation) -> None:
    execute(command)


def leave_unfinished(command: Invocation, folder: Path) -> None:
    """Start a run, and kill its controller when the last task waits; the supervisor and the task live on."""
    log = folder / "unfinished.log"
    controller = start_process(command, log)
    deadline = time.perf_counter() + SET_UP_SECONDS
    while not (folder / "waiting").exists():
        if controller.poll() is not None or time.perf_counter() > deadline:
            processes.end_descendants()
            raise NotMeasured(f"the run to resume did not come to its last task: {last_line(log)}")
        time.sleep(LOOK_AGAIN_SECONDS)
    controller.kill()
    controller.wait()
