"""W7: kill the controller at any moment; nothing that ended runs again, nothing that was running is started twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin

CONTROLLER = Path(__file__).parent / "controller.py"
SEEDS = range(int(os.environ.get("LONGSHORE_CHAOS_SEEDS", "6")))
EDGES = range(1, int(os.environ.get("LONGSHORE_CHAOS_EDGES", "12")) + 1)

WORKFLOW = """
name = "chaos"

[tasks.raw]
command = "echo $$ >> {counters}/raw; seq 100 > raw.txt"
outputs = ["raw.txt"]

[tasks.part]
for_each.n = {{ range = [1, 8] }}
command = "echo $$ >> {counters}/part-$n; sleep 0.0$n; head -n $n workflow:///raw/raw.txt > part.txt"
outputs = ["part.txt"]

[tasks.check]
for_each.n = {{ range = [1, 8] }}
command = "echo $$ >> {counters}/check-$n; test $(wc -l < workflow:///part/$n/part.txt) = $n && echo good > good.txt"
outputs = ["good.txt"]

[tasks.all]
command = "echo $$ >> {counters}/all; cat workflow:///check/*/good.txt > all.txt"
outputs = ["all.txt"]
"""
TASKS = {"raw", "all", *(f"part-{n}" for n in range(1, 9)), *(f"check-{n}" for n in range(1, 9))}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "counters").mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "longshore.toml").write_text(WORKFLOW.format(counters=tmp_path / "counters"))
    return folder


def control(folder: Path, edge: int = 0, seconds: float | None = None, only: str = "") -> int:
    """Run a controller; kill it after some seconds, if it has not killed itself before. Answer how it ended."""
    process = subprocess.Popen([sys.executable, CONTROLLER, folder, str(edge), only])
    try:
        return process.wait(seconds if seconds is not None else 120)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(120)


def assert_everything_ran_once(folder: Path) -> None:
    counters = folder.parent / "counters"
    assert {path.name: len(path.read_text().splitlines()) for path in counters.iterdir()} == dict.fromkeys(TASKS, 1)
    [run] = Project(folder).run_ids()
    assert (Project(folder).results(run) / "all" / "all.txt").read_text() == "good\n" * 8
    reader = RunReader(Project(folder).run_folder(run))
    assert reader.info().state == "succeeded"
    state = begin(reader.workflow())
    for _, event in reader.events():
        apply(state, event)
    assert state.ended == "succeeded"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_controller_killed_at_random_moments_runs_everything_exactly_once(project: Path, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 4)):
        if control(project, seconds=rng.uniform(0.15, 1.2)) == 0:
            break

    # It may have ended well before the last kill came; then there is nothing left to do, and that is fine too.
    assert control(project) == 0

    assert_everything_ran_once(project)


@pytest.mark.parametrize("edge", EDGES)
def test_a_controller_killed_at_a_journal_edge_runs_everything_exactly_once(project: Path, edge: int) -> None:
    # Spread over the whole run: neighbouring steps are much alike.
    control(project, edge=edge * edge)
    assert control(project) == 0

    assert_everything_ran_once(project)


COLLECTING = """
name = "collecting"
[tasks.fit]
for_each.n = { range = [1, 3] }
command = 'printf "a\\n$n" > row.csv'
outputs = ["row.csv"]
collect = "results.sqlite"
[tasks.report]
command = "cp workflow:///fit/results.sqlite copy.sqlite"
outputs = ["copy.sqlite"]
"""


def test_a_controller_killed_while_it_makes_a_table_makes_it_whole_and_once(tmp_path: Path) -> None:
    edge = 0
    while True:
        edge += 1
        folder = tmp_path / str(edge)
        folder.mkdir()
        (folder / "longshore.toml").write_text(COLLECTING)
        killed = control(folder, edge=edge, only="Collecting.") == -signal.SIGKILL
        if not killed:
            break
        assert control(folder) == 0
        [run] = Project(folder).run_ids()
        with closing(sqlite3.connect(Project(folder).results(run) / "report" / "copy.sqlite")) as db:
            assert db.execute("SELECT n, a FROM results").fetchall() == [(1, 1), (2, 2), (3, 3)]
        assert len(list(RunReader(Project(folder).run_folder(run)).events(kind="TableMade"))) == 1

    assert edge == 2 * 4 + 1, "make, _made and twice _kept, each when it begins and when it ends"


def test_the_harness_does_kill(project: Path) -> None:
    assert control(project, edge=5) == -signal.SIGKILL
