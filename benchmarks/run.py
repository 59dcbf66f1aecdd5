"""Measure Longshore against its peers and against what the machine allows, and print one table.

With no arguments it runs everything (about half an hour); or, for example,
`python benchmarks/run.py fan-1000 chain-200 --peers xargs,make,doit --rounds 3`.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import processes
from bench import Bench
from environments import Environments
from figures import Row
from machine import look_at_machine
from peers import PEERS, Peer
from scenarios import SCENARIOS, Scenario, UnknownScenario, find
from suite import run_scenario
from table import as_json, as_markdown, as_text

CHECKOUT = Path(__file__).resolve().parent.parent


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; the result does not depend on whether the bars are met."""
    options = _parser().parse_args(words)
    if options.list:
        for scenario in SCENARIOS.values():
            sys.stdout.write(f"{scenario.name:16} {scenario.title}\n")
        return 0
    processes.adopt_orphans()
    build = CHECKOUT / "build" / "bench"
    build.mkdir(parents=True, exist_ok=True)
    bench = Bench(checkout=CHECKOUT, build=build, environments=Environments(build), peers=options.peers)
    machine = look_at_machine()
    _say(machine.line)
    if machine.warning:
        _say(machine.warning)
    rows: list[Row] = []
    try:
        for scenario in options.scenarios or SCENARIOS.values():
            _say(f"{scenario.name}: {scenario.title}")
            rows += run_scenario(scenario, bench, options.rounds, _say)
            if options.json:
                options.json.write_text(as_json(rows, machine, options.rounds))
    except KeyboardInterrupt:
        _say("interrupted: the table shows what was measured until then")
    finally:
        processes.end_descendants()
    sys.stdout.write((as_markdown if options.markdown else as_text)(rows, machine))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", type=_scenario, metavar="SCENARIO", help="default: all; see --list")
    parser.add_argument(
        "--peers", type=_peers, default=PEERS, metavar="A,B", help="default: all; 'none' measures Longshore alone"
    )
    parser.add_argument("--rounds", type=_count, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all samples to a file")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    return parser


def _scenario(name: str) -> Scenario:
    try:
        return find(name)
    except UnknownScenario as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _peers(text: str) -> tuple[Peer, ...]:
    known = {peer.name: peer for peer in PEERS}
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or list(known)
            raise argparse.ArgumentTypeError(f"no peer {name!r}: did you mean {', '.join(near)}?")
    return tuple(known[name] for name in names)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
