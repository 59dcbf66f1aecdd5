"""The commands that are measured do what they are said to do; they need Longshore installed by a run of the suite."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import longshore_side
import processes
from bench import Bench
from environments import Environments
from measure import Invocation, execute
from scenarios.limits_of_size import leave_unfinished
from shapes import Graph, chain, fan, layered, written_fan

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build" / "bench"


@pytest.fixture(scope="module")
def bench() -> Bench:
    if not (BUILD / "longshore" / "installed-for.txt").exists():
        pytest.skip("Longshore is not installed in build/bench; `python benchmarks/run.py help` does it")
    processes.adopt_orphans()
    return Bench(checkout=CHECKOUT, build=BUILD, environments=Environments(BUILD), peers=())


def phases(bench: Bench, folder: Path) -> dict[str, int]:
    """Give how many tasks of the latest run are in which phase."""
    status = longshore_side.status(bench)(folder)
    shown = subprocess.run(
        [*status.argv, "--json"], cwd=folder, env=status.env, timeout=60, check=True, stdout=subprocess.PIPE
    )
    counted: dict[str, int] = json.loads(shown.stdout)["phases"]
    return counted


@pytest.mark.parametrize("graph", [fan(12), chain(6), layered(12, width=4)], ids=["fan", "chain", "layered"])
def test_every_task_is_executed_once_and_after_those_it_waits_for(bench: Bench, graph: Graph, tmp_path: Path) -> None:
    script = tmp_path / "record.sh"
    script.write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/started.txt\n")
    script.chmod(0o755)
    execute(longshore_side.runner(bench, replace(graph, program=f"{script} {{name}}"))(tmp_path))
    started = (tmp_path / "started.txt").read_text().split()
    place = {name: number for number, name in enumerate(started)}
    assert len(started) == len(place) == len(graph.jobs)
    assert all(place[above] < place[job.name] for job in graph.jobs for above in job.after)


def test_a_second_run_with_the_cache_executes_nothing(bench: Bench, tmp_path: Path) -> None:
    command = longshore_side.runner(bench, written_fan(5), cached=True)(tmp_path)
    execute(command)
    assert phases(bench, tmp_path) == {"succeeded": 5}
    execute(command)
    assert phases(bench, tmp_path) == {"up to date": 5}


def test_the_diamond_joins_what_its_branches_wrote(bench: Bench, tmp_path: Path) -> None:
    execute(longshore_side.diamond(bench)(tmp_path))
    [joined] = (tmp_path / "results").rglob("both.txt")
    lines = joined.read_text().splitlines()
    assert (len(lines), lines[0], lines[-1]) == (1000, "1\t1000", "1000\t1")


def test_an_unfinished_run_is_resumed_to_its_end(bench: Bench, tmp_path: Path) -> None:
    leave_unfinished(longshore_side.unfinished(bench, 5)(tmp_path), tmp_path)
    assert phases(bench, tmp_path)["succeeded"] == 5
    (tmp_path / "gate").touch()
    execute(longshore_side.resume(bench)(tmp_path))
    assert phases(bench, tmp_path) == {"succeeded": 6}


def test_every_call_is_a_task(bench: Bench, tmp_path: Path) -> None:
    execute(longshore_side.calls(bench, 7)(tmp_path))
    assert phases(bench, tmp_path) == {"succeeded": 7}


@pytest.mark.parametrize("plan", [longshore_side.plan_from_toml, longshore_side.plan_from_python])
def test_a_plan_has_all_tasks(bench: Bench, plan: longshore_side.Plan, tmp_path: Path) -> None:
    command: Invocation = plan(bench, 7)(tmp_path)
    execute(command)
    assert "7 tasks, 7 would run" in (tmp_path / "output.log").read_text()


def test_a_simulation_plays_every_task_at_its_own_length(bench: Bench, tmp_path: Path) -> None:
    command = longshore_side.simulation(bench, "spread", 30, 2)(tmp_path)
    shown = subprocess.run(
        [*command.argv, "--json"], cwd=tmp_path, env=command.env, timeout=60, check=True, stdout=subprocess.PIPE
    )
    document = json.loads(shown.stdout)
    (played,) = document["strategies"]
    assert (document["total"], document["unknown"], played["attempts"]) == (30, [], 30)
    assert played["seconds"] > 600
