"""What a user meets between runs: start-up, waiting, and Python calls that do nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import longshore_side
import processes
from bench import Bench
from figures import CORE, OURS, WALL, Bar, Contestant, Promise, Reading
from measure import NotMeasured, last_line, start_process, total_cpu, typical
from scenarios.base import LIMIT, LIMITS, Contender, Scenario, enter_or_excuse, limit, wall_of

IMPORTED_NAME = f"{OURS}-name"
REPEATS = 5
SLEEP_SECONDS = 10
SETTLE_SECONDS = 1.0
WATCH_SECONDS = 8.0


def help_scenario() -> Scenario:
    """Print the help."""
    return _start_up("help", {OURS: ("longshore --help", longshore_side.show_help)}, below=0.2)


def import_scenario() -> Scenario:
    """Import the package, the start of Python included; also a name of it, since the package loads them when used."""
    statements = {OURS: "import longshore", IMPORTED_NAME: "from longshore import Workflow"}
    commands = {name: (statement, _python(statement)) for name, statement in statements.items()}
    return _start_up("import", commands, below=0.1)


def calls_scenario(calls: int) -> Scenario:
    """Python calls, each a task with its events in the journal."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            prepare = longshore_side.calls(bench, calls)
            return Contender(name=OURS, label="longshore", measure=lambda folder: wall_of(prepare(folder)))

        pool = limit("limit: ProcessPoolExecutor", LIMITS / "call_pool.py", str(calls))
        return [enter_or_excuse(OURS, "longshore", contender), pool]

    return Scenario(
        name=f"calls-{calls}",
        title=f"{calls:,} Python calls that do nothing",
        tasks=calls,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.RATE, limit=5_000),),
    )


def waiting_scenario() -> Scenario:
    """Watch the processor time of controller and supervisor while the only task sleeps."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            prepare = longshore_side.sleeping(bench, SLEEP_SECONDS)
            return Contender(name=OURS, label="longshore", measure=lambda folder: _watch(prepare, folder))

        return [enter_or_excuse(OURS, "longshore", contender)]

    return Scenario(
        name="waiting",
        title=f"processor use while a task sleeps for {SLEEP_SECONDS} s",
        tasks=None,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=1.0, quantity=CORE),),
    )


Command = Callable[[Bench], longshore_side.Prepare]


def _start_up(name: str, commands: Mapping[str, tuple[str, Command]], *, below: float) -> Scenario:
    everybody = {**commands, LIMIT: ("limit: python -c pass", _python("pass"))}

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [
            enter_or_excuse(subject, label, partial(_repeated, bench, subject, label, command))
            for subject, (label, command) in everybody.items()
        ]

    title = " and ".join(label for label, _ in commands.values())
    bars = tuple(Bar(subject=subject, promise=Promise.BELOW, limit=below) for subject in commands)
    return Scenario(name=name, title=f"wall time of {title}", tasks=None, enter=enter, bars=bars)


def _repeated(bench: Bench, name: str, label: str, command: Command) -> Contender:
    prepare = command(bench)
    return Contender(name=name, label=label, measure=lambda folder: {WALL: typical(prepare(folder), times=REPEATS)})


def _python(statement: str) -> Command:
    return lambda bench: longshore_side.python(bench, statement)


def _watch(prepare: longshore_side.Prepare, folder: Path) -> Reading:
    log = folder / "output.log"
    controller = start_process(prepare(folder), log)
    try:
        _until_the_task_sleeps(log)
        time.sleep(SETTLE_SECONDS)
        before, start = total_cpu(_overseers()), time.perf_counter()
        time.sleep(WATCH_SECONDS)
        used, watched = total_cpu(_overseers()) - before, time.perf_counter() - start
        if not _task_sleeps():
            raise NotMeasured("the task ended while its controller was watched")
        return {CORE: 100 * used / watched}
    finally:
        controller.kill()
        controller.wait()
        processes.end_descendants()


def _until_the_task_sleeps(log: Path) -> None:
    deadline = time.perf_counter() + SLEEP_SECONDS
    while not _task_sleeps():
        if time.perf_counter() > deadline:
            raise NotMeasured(f"the sleeping task did not start: {last_line(log)}")
        time.sleep(0.02)


def _task_sleeps() -> bool:
    return any(process.program == "sleep" for process in processes.descendants())


def _overseers() -> list[processes.Process]:
    return [process for process in processes.descendants() if process.program != "sleep"]
