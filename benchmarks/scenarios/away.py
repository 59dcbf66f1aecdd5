"""Runs whose controllers are on a host that answers SSH, asked about from here while they go on."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import longshore_side
from bench import Bench
from far import hosts
from figures import OURS, WALL, Bar, Promise, Reading
from measure import Invocation, NotMeasured, last_line, run_beside
from scenarios.base import Measure, Scenario, entering

_PATIENCE_SECONDS = 600.0
_TIMES = 5


def away_status_scenario(tasks: int) -> Scenario:
    """Ask, from the shell prompt, how such a run stands."""

    def measure(bench: Bench, folder: Path) -> Reading:
        return {WALL: _typical(longshore_side.far_away(bench, tasks, "status")(folder))}

    return _scenario("away-status", "status of", tasks, measure)


def away_attach_scenario(tasks: int) -> Scenario:
    """Find it from another folder that knows nothing of it, and see how it stands."""

    def measure(bench: Bench, folder: Path) -> Reading:
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(folder / "ssh_config", elsewhere)
        attach = longshore_side.far_away(bench, tasks, "attach", longshore_side.AWAY_HOST)(elsewhere)
        wall = _typical(attach)
        if f"{tasks:,} succeeded" not in (elsewhere / "output.log").read_text():
            raise NotMeasured(f"it does not tell how the run stands: {last_line(elsewhere / 'output.log')}")
        return {WALL: wall}

    return _scenario("away-attach", "attach to", tasks, measure)


def _scenario(name: str, verb: str, tasks: int, measure: Measure) -> Scenario:
    def measured(bench: Bench, folder: Path) -> Reading:
        with _going_on(bench, folder, tasks):
            return measure(bench, folder)

    return Scenario(
        name=f"{name}-{tasks}",
        title=f"{verb} a run of {tasks:,} tasks that goes on, its controller on a host by SSH",
        tasks=None,
        enter=entering(_installed, [(OURS, f"longshore {name.rpartition('-')[2]}", measured)]),
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=1.0),),
    )


def _installed(bench: Bench) -> None:
    longshore_side.programs(bench, longshore_side.SSH)  # the host is made by it, too


@contextmanager
def _going_on(bench: Bench, folder: Path, tasks: int) -> Iterator[None]:
    """Have a run on a host of which all tasks but the last have succeeded; it is cancelled afterwards."""
    with hosts(bench, folder):
        run_beside(longshore_side.far_away(bench, tasks, "run", "--on", longshore_side.AWAY_HOST)(folder))
        status = longshore_side.far_away(bench, tasks, "status", "--json")(folder)
        deadline = time.perf_counter() + _PATIENCE_SECONDS
        while _succeeded(status) < tasks:
            if time.perf_counter() > deadline:
                raise NotMeasured(f"{tasks:,} tasks were not done in {_PATIENCE_SECONDS:.0f} s")
            time.sleep(0.5)
        try:
            yield
        finally:
            run_beside(longshore_side.far_away(bench, tasks, "cancel")(folder))


def _succeeded(status: Invocation) -> int:
    shown = subprocess.run(
        status.argv, cwd=status.folder, env=status.env, capture_output=True, text=True, check=False, timeout=120
    )
    if shown.returncode:
        raise NotMeasured(f"status ended with {shown.returncode}: {shown.stderr.strip()[-200:]}")
    return int(json.loads(shown.stdout)["phases"].get("succeeded", 0))


def _typical(command: Invocation) -> float:
    return median(run_beside(command).wall_seconds for _ in range(_TIMES))
