"""What a scenario is, and how peers, limits and Longshore take part in one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import Bench
from figures import WALL, Bar, Contestant, Reading
from measure import Invocation, NotMeasured, execute, variables
from peers import Peer
from peers.base import CommandLine
from shapes import Graph

Measure = Callable[[Bench, Path], Reading]
"""Measures once, in a folder; raises NotMeasured with a reason."""

LIMITS = Path(__file__).parent.parent / "limits"
LIMIT = "limit"
"""The contender that shows what the machine allows."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Somebody who can be measured. Both functions raise NotMeasured with a reason."""

    name: str
    label: str
    measure: Callable[[Path], Reading]
    """Measure once in the given folder: a fresh one, or with `set_up` the one that was set up."""
    set_up: Callable[[Path], None] | None = None
    """Done once, before the first round."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One question, who is asked, and what Longshore promises."""

    name: str
    title: str
    tasks: int | None
    enter: Callable[[Bench], Sequence[Contender | Contestant]]
    """Give who takes part, and who does not with the reason; installs what is missing."""
    bars: tuple[Bar, ...] = ()
    most_rounds: int | None = None


def enter_or_excuse(name: str, label: str, enter: Callable[[], Contender]) -> Contender | Contestant:
    """Let somebody take part, or say why not."""
    try:
        return enter()
    except NotMeasured as reason:
        return Contestant(name=name, label=label, reason=str(reason))


def entering(
    install: Callable[[Bench], object], measures: Sequence[tuple[str, str, Measure]]
) -> Callable[[Bench], Sequence[Contender | Contestant]]:
    """Give the `Scenario.enter` of those who all need the same to be installed: their names, labels, and measures."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def made(name: str, label: str, measure: Measure) -> Contender:
            install(bench)
            return Contender(name=name, label=label, measure=partial(measure, bench))

        return [enter_or_excuse(*each[:2], partial(made, *each)) for each in measures]

    return enter


def peers_for(bench: Bench, graph: Graph, *, again: bool = False) -> list[Contender | Contestant]:
    """Let the chosen peers run a graph; with `again`, what is measured is the second run, with all done."""
    return [enter_or_excuse(p.name, p.label, _entrance(bench, p, graph, again=again)) for p in bench.peers]


def spawn_limit(tasks: int, width: int) -> Contender:
    """Start as many processes with as little as possible around them."""
    return limit("limit: posix_spawn loop", LIMITS / "spawn_loop.py", str(tasks), str(width))


def limit(label: str, script: Path, *words: str) -> Contender:
    """Measure a script of the standard library alone."""
    return Contender(
        name=LIMIT,
        label=label,
        measure=lambda folder: wall_of(
            Invocation(argv=(sys.executable, str(script), *words), folder=folder, env=variables())
        ),
    )


def wall_of(command: Invocation) -> Reading:
    """Run a command and read its wall time."""
    return {WALL: execute(command).wall_seconds}


def _entrance(bench: Bench, peer: Peer, graph: Graph, *, again: bool) -> Callable[[], Contender]:
    def enter() -> Contender:
        if objection := peer.objection(graph):
            raise NotMeasured(objection)
        programs = _programs(bench, peer)

        def prepare(folder: Path) -> Invocation:
            return invocation_of(peer.lay_out(graph, folder), programs, folder)

        if not again:
            return Contender(name=peer.name, label=peer.label, measure=lambda folder: wall_of(prepare(folder)))
        return second_run(peer.name, peer.label, prepare)

    return enter


def second_run(name: str, label: str, prepare: Callable[[Path], Invocation]) -> Contender:
    """Run once in the set-up; what is measured is the same command again, in the same folder."""
    prepared: dict[Path, Invocation] = {}

    def set_up(folder: Path) -> None:
        prepared[folder] = prepare(folder)
        execute(prepared[folder])

    return Contender(name=name, label=label, measure=lambda folder: wall_of(prepared[folder]), set_up=set_up)


def invocation_of(line: CommandLine, programs: Path | None, folder: Path) -> Invocation:
    """Complete a peer's command line: where its program is, and its environment activated as a user would."""
    env = variables(**line.env)
    if programs is None:
        return Invocation(argv=line.argv, folder=folder, env=env, stdin=line.stdin)
    # A home of its own, which lasts: the first start of some tools (Prefect: 6 s) is not what their users have daily.
    home = programs.parent / "home"
    home.mkdir(exist_ok=True)
    env |= {"PATH": f"{programs}:{env['PATH']}", "VIRTUAL_ENV": str(programs.parent), "HOME": str(home)}
    argv = (str(programs / line.argv[0]), *line.argv[1:])
    return Invocation(argv=argv, folder=folder, env=env, stdin=line.stdin)


def _programs(bench: Bench, peer: Peer) -> Path | None:
    if peer.requirements:
        return bench.environments.programs(peer.environment or peer.name, peer.requirements)
    if shutil.which(peer.name) is None:
        raise NotMeasured(f"{peer.name} is not on this computer")
    return None
