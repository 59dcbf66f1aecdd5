"""What decisions cost: one assignment of many tasks to many machines, and a whole run played beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import longshore_side
from bench import Bench
from figures import OURS, WALL, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse

PROBE = Path(__file__).parent.parent / "probes" / "assign.py"
SIMPLE = ("cheapest", "critical-path", "data-local", "first-fit", "random", "round-robin", "spread")
KNAPSACK = "knapsack"
KNAPSACK_SECONDS = 0.5
"""Its limit for one decision, by default."""
MACHINES = 100


def assign_scenario(tasks: int) -> Scenario:
    """Assign waiting tasks to 100 idle machines once, by each strategy; start-up is not counted."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [enter_or_excuse(_name(name), name, partial(_assigning, bench, name, tasks)) for name in STRATEGIES]

    bars = [Bar(subject=_name(name), promise=Promise.BELOW, limit=0.05) for name in SIMPLE]
    bars.append(Bar(subject=_name(KNAPSACK), promise=Promise.BELOW, limit=KNAPSACK_SECONDS))
    title = f"one assignment of {tasks:,} tasks to {MACHINES} machines"
    return Scenario(name=f"assign-{tasks}", title=title, tasks=None, enter=enter, bars=tuple(bars))


def simulate_scenario(tasks: int) -> Scenario:
    """Play a run on 100 machines, from the shell prompt."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [enter_or_excuse(_name(name), name, partial(_simulating, bench, name, tasks)) for name in _PLAYED]

    bars = tuple(Bar(subject=_name(name), promise=Promise.BELOW, limit=10.0) for name in _PLAYED if name != KNAPSACK)
    title = f"longshore plan --simulate, {tasks:,} tasks on {MACHINES} machines"
    return Scenario(name=f"simulate-{tasks}", title=title, tasks=tasks, enter=enter, bars=bars)


STRATEGIES = (*SIMPLE, KNAPSACK)
_PLAYED = ("critical-path", "spread", KNAPSACK)


def _name(strategy: str) -> str:
    return f"{OURS}-{strategy}"


def _plugin(strategy: str) -> str:
    return longshore_side.KNAPSACK if strategy == KNAPSACK else ""


def _assigning(bench: Bench, strategy: str, tasks: int) -> Contender:
    prepare = longshore_side.probe(bench, PROBE, strategy, str(tasks), str(MACHINES), plugin=_plugin(strategy))
    return Contender(name=_name(strategy), label=strategy, measure=lambda folder: _printed(prepare(folder)))


def _simulating(bench: Bench, strategy: str, tasks: int) -> Contender:
    prepare = longshore_side.simulation(bench, strategy, tasks, MACHINES, plugin=_plugin(strategy))
    return Contender(
        name=_name(strategy), label=strategy, measure=lambda folder: {WALL: execute(prepare(folder)).wall_seconds}
    )


def _printed(command: Invocation) -> Reading:
    """Read what the command itself has measured and printed as its last line."""
    execute(command)
    said = last_line(command.folder / "output.log")
    try:
        return {WALL: float(said)}
    except ValueError:
        raise NotMeasured(f"the probe said {said!r}") from None
