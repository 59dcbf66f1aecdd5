"""The crash matrix: at each step of a run on rented machines the controller is killed, and what is left is looked at.

``python -m sandbox.chaos.matrix`` (from the folder of the tests) plays all of it, prints it as a page of Markdown, and
exits with 1 when anything was left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from .controller import EFFECTS, WRITES
from .world import Case, Comes, Left, live, random_steps

FAULTS: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "throttled": {"throttled": 0.15},
    "no capacity": {"capacity": 0.1},
    "answer lost": {"reply lost": 0.15},
    "done by half": {"partial": 0.15},
    "done twice": {"duplicate": 0.15},
    "no answer": {"hang": 0.1},
    "all of them": {"throttled": 0.05, "reply lost": 0.05, "partial": 0.05, "duplicate": 0.05, "hang": 0.03},
}

LATER = frozenset({"SupervisorSession.adopt"})
"""Steps of a controller that takes over: one before it has been killed, too."""
_GO = "SupervisorSession.go"

_PREFACE = """# The crash matrix

Longshore's controller is killed with `SIGKILL` at each step of a run on rented machines: before and after
everything that writes the journal or the ledger, and everything that acts on the world outside. Then it is looked
at what is left of machines that cost, leases, keys in the cloud, tasks that were executed twice, and results that
were lost. Nothing may be left, and no machine may have been paid for longer than the bound. The cloud is the
sandbox, whose machines are real processes and whose clock is moved by hand: five minutes for each death before the
run is resumed; 46 minutes before `gc` comes, to a cloud where a machine that has powered itself off still costs;
and 46 minutes in which nobody comes, and machines end themselves after their unattended time of 30 minutes.

Played on {today:%Y-%m-%d} by `make chaos`; a part of it is in the tests."""

Row = tuple[str, Sequence[Case]]


def edges() -> Iterator[Row]:
    """Give a row for each step: killed there, before and after, and then each of those comes who can."""
    for name in (*WRITES, *EFFECTS):
        for side in ("before", "after"):
            first = (f"after {_GO} 1",) if name in LATER else ()
            steps = (*first, f"{side} {name} 1")
            yield f"{side} `{name}`", [Case(steps=steps, comes=comes) for comes in Comes]


def storms(seeds: int) -> Iterator[Row]:
    """Give a row for each fault: killed up to three times at random moments, so many times over."""
    for fault, rates in FAULTS.items():
        for comes in (Comes.RESUME, Comes.GC):
            cases = [Case(steps=random_steps(seed), comes=comes, faults=rates, seed=seed) for seed in range(seeds)]
            yield f"{fault}, then {comes}", cases


def play(rows: Sequence[Row], jobs: int) -> list[list[Left]]:
    """Play all cases, several at once; say on stderr how far it is."""
    with tempfile.TemporaryDirectory(prefix="longshore-chaos-") as folder, ThreadPoolExecutor(jobs) as pool:
        numbered = [(index, case) for index, (_, cases) in enumerate(rows) for case in cases]
        folders = [Path(folder) / str(number) for number in range(len(numbered))]
        found: list[list[Left]] = [[] for _ in rows]
        played = pool.map(live, folders, [case for _, case in numbered])
        for (index, case), left in zip(numbered, played, strict=True):
            sys.stderr.write(f"{'.' if left.clean else f'{case}: {left}{chr(10)}'}")
            sys.stderr.flush()
            found[index].append(left)
    sys.stderr.write("\n")
    return found


def reached(case: Case, left: Left) -> bool:
    """Say whether each life of the controller has ended where it was to end."""
    return left.killed == len(case.steps)


def cell(left: Left, case: Case) -> str:
    """Say how one case has ended."""
    if not reached(case, left):
        return f"**not reached; {left}**"
    if left.clean:
        return f"nothing; {left.paid_seconds / 60:.0f} of {left.bound_seconds / 60:.0f} min paid"
    return (
        f"**{left.alive} alive, {left.leases} leases, {left.sides} sides, twice: {', '.join(left.twice) or 'none'}, "
        f"lost: {left.lost or 'none'}, {left.paid_seconds / 60:.0f} of {left.bound_seconds / 60:.0f} min paid**"
    )


def storm_cells(lefts: Sequence[Left]) -> str:
    """Sum several cases up."""
    return " | ".join(
        str(number)
        for number in (
            sum(left.killed for left in lefts),
            sum(left.alive for left in lefts),
            sum(left.leases + left.sides for left in lefts),
            sum(len(left.twice) for left in lefts),
            sum(bool(left.lost) for left in lefts),
            f"{max(left.paid_seconds for left in lefts) / 60:.0f}",
        )
    )


def page(edge_rows: Sequence[Row], storm_rows: Sequence[Row], found: Sequence[Sequence[Left]], seeds: int) -> str:
    """Write it all down as Markdown."""
    head = [
        *_PREFACE.format(today=datetime.now(UTC)).splitlines(),
        "",
        "## Killed at each step",
        "",
        "| killed | then it is resumed | then only `gc` comes | then nobody comes |",
        "|---|---|---|---|",
    ]
    middle = [
        "",
        "## Killed at random moments of a run, while the cloud misbehaves",
        "",
        f"Each row is {seeds} runs, killed up to three times each.",
        "",
        "| fault, and who comes | kills | machines alive | leases, keys left | run twice | results lost | min paid |",
        "|---|---|---|---|---|---|---|",
    ]
    ends = len(edge_rows)
    lines = [
        f"| {name} | {' | '.join(map(cell, lefts, cases))} |"
        for (name, cases), lefts in zip(edge_rows, found, strict=False)
    ]
    more = [f"| {name} | {storm_cells(lefts)} |" for (name, _), lefts in zip(storm_rows, found[ends:], strict=True)]
    return "\n".join([*head, *lines, *middle, *more, ""])


def main(words: Sequence[str]) -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(description="Play the crash matrix.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=5, help="runs for each fault")
    given = parser.parse_args(words)
    edge_rows, storm_rows = list(edges()), list(storms(given.seeds))
    found = play([*edge_rows, *storm_rows], given.jobs)
    sys.stdout.write(page(edge_rows, storm_rows, found, given.seeds))
    told = [list(zip(cases, lefts, strict=True)) for (_, cases), lefts in zip(edge_rows, found, strict=False)]
    all_reached = all(reached(case, left) for row in told for case, left in row)
    return 0 if all_reached and all(left.clean for lefts in found for left in lefts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
