"""W7 on hosts: kill the controller while data travels; nothing is lost, and nothing is started twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.runtime.history import RunReader
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin

from .rig import Rig

CONTROLLER = Path(__file__).parents[1] / "chaos" / "controller.py"
SEEDS = range(int(os.environ.get("LONGSHORE_CHAOS_SEEDS", "3")))
STRIDE = 7
"""Each test dies at one edge of so many, so that a few of them get far into a run."""

WORKFLOW = """
name = "chaos"
{near}
{far}
[tasks.raw]
command = "echo $$ >> {counters}/raw; seq 100 > raw.txt; mkdir d; seq 10 > d/x"
outputs = ["raw.txt", "d"]
pool = "near"
[tasks.part]
for_each.n = {{ range = [1, 4] }}
command = '''
echo $$ >> {counters}/part-$n; head -n $n workflow:///raw/raw.txt > part.txt; cat workflow:///raw/d/x >> part.txt
'''
inputs = ["big.dat"]
outputs = ["part.txt"]
pool = "far"
[tasks.all]
command = "echo $$ >> {counters}/all; cat workflow:///part/*/part.txt | wc -l > all.txt"
outputs = ["all.txt"]
pool = "near"
"""
TASKS = {"raw", "all", *(f"part-{n}" for n in range(1, 5))}


@pytest.fixture
def chaos(rig: Rig) -> Rig:
    counters = rig.project.folder.parent / "counters"
    counters.mkdir()
    near, far = rig.pool("h1", name="near"), rig.pool("h2", "h3", name="far")
    text = WORKFLOW.format(near=near, far=far, counters=counters)
    (rig.project.folder / "longshore.toml").write_text(text)
    (rig.project.folder / "big.dat").write_bytes(bytes(1_000_000))
    return rig


def control(rig: Rig, edge: int = 0, seconds: float = 120) -> int:
    """Run a controller; kill it after some seconds, if it has not killed itself before. Answer how it ended."""
    command = [sys.executable, str(CONTROLLER), str(rig.project.folder), str(edge)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(rig.plugins)})
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(120)


def assert_everything_ran_once(rig: Rig) -> None:
    counters = rig.project.folder.parent / "counters"
    assert {path.name: len(path.read_text().splitlines()) for path in counters.iterdir()} == dict.fromkeys(TASKS, 1)
    [run] = rig.project.run_ids()
    assert (rig.project.results(run) / "all" / "all.txt").read_text() == "50\n"
    reader = RunReader(rig.project.run_folder(run))
    state = begin(reader.workflow())
    for _, event in reader.events():
        apply(state, event)
    assert state.ended == "succeeded"
    for host in rig.hosts.values():
        # Those that nobody has linked to since their controller was killed would wait for another one for a while.
        host.switch_off(run)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_controller_killed_at_random_moments_runs_everything_exactly_once(chaos: Rig, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(4):
        if control(chaos, seconds=rng.uniform(0.2, 0.6)) == 0:
            break
    assert control(chaos) == 0
    assert_everything_ran_once(chaos)


@pytest.mark.parametrize("edge", [STRIDE * number for number in range(1, 6)])
def test_a_controller_killed_at_an_edge_of_staging_runs_everything_exactly_once(chaos: Rig, edge: int) -> None:
    while (code := control(chaos, edge)) != 0:
        assert code == -signal.SIGKILL
        edge += STRIDE * 9

    assert_everything_ran_once(chaos)
