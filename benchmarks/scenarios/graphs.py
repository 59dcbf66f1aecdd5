"""Many shell tasks in one graph: fans, chains, layers, the diamond, and a graph with nothing left to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import longshore_side
from bench import Bench
from figures import OURS, Bar, Contestant, Promise
from scenarios.base import (
    Contender,
    Scenario,
    enter_or_excuse,
    peers_for,
    second_run,
    spawn_limit,
    wall_of,
)
from shapes import Graph, chain, fan, layered, written_fan

SLOW_ENGINES = ("snakemake", "snakemake-greedy", "parsl", "luigi", "prefect")


def fan_scenario(tasks: int) -> Scenario:
    """Independent tasks; what is promised depends on whether start-up still counts."""
    to_xargs = 0.7 if tasks >= 10_000 else 0.6
    ratios = {"xargs": to_xargs, "doit": 1.5, **dict.fromkeys(SLOW_ENGINES, 5.0)}
    bars = tuple(Bar(subject=name, promise=Promise.RATIO, limit=ratio) for name, ratio in ratios.items())
    return _graph_scenario(f"fan-{tasks}", f"{tasks:,} independent tasks", fan(tasks), width=2, bars=bars)


def chain_scenario(tasks: int) -> Scenario:
    """Tasks one after the other."""
    bar = Bar(subject=OURS, promise=Promise.EACH, limit=0.004)
    return _graph_scenario(f"chain-{tasks}", f"{tasks:,} tasks in a row", chain(tasks), width=1, bars=(bar,))


def layered_scenario(tasks: int) -> Scenario:
    """Layers of tasks, each of which waits for three of the layer above."""
    return _graph_scenario(f"layered-{tasks}", f"{tasks:,} tasks in layers of 100", layered(tasks), width=2)


def done_scenario(tasks: int) -> Scenario:
    """The second run, which finds that every file is there."""
    graph = written_fan(tasks)

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        ours = _ours(lambda: second_run(OURS, "longshore", longshore_side.runner(bench, graph, cached=True)))
        return [ours, *peers_for(bench, graph, again=True)]

    title = f"second run of {tasks:,} tasks, all up to date"
    return Scenario(name=f"done-{tasks}", title=title, tasks=tasks, enter=enter)


def diamond_scenario() -> Scenario:
    """Four tasks that write and read real files, from the shell prompt."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        return [_ours(lambda: _measured(longshore_side.diamond(bench)))]

    return Scenario(
        name="diamond",
        title="A, then B and C, then D, by workflow:///",
        tasks=4,
        enter=enter,
        bars=(Bar(subject=OURS, promise=Promise.BELOW, limit=0.3),),
    )


def _graph_scenario(name: str, title: str, graph: Graph, *, width: int, bars: tuple[Bar, ...] = ()) -> Scenario:
    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        ours = _ours(lambda: _measured(longshore_side.runner(bench, graph)))
        return [ours, spawn_limit(len(graph.jobs), width), *peers_for(bench, graph)]

    return Scenario(name=name, title=title, tasks=len(graph.jobs), enter=enter, bars=bars)


def _ours(enter: Callable[[], Contender]) -> Contender | Contestant:
    return enter_or_excuse(OURS, "longshore", enter)


def _measured(prepare: longshore_side.Prepare) -> Contender:
    return Contender(name=OURS, label="longshore", measure=lambda folder: wall_of(prepare(folder)))
