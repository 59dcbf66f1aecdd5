"""The crash matrix: at each step of a run on rented machines the controller is killed, and what is left is looked at.

``python -m sandbox.chaos.matrix`` (from the folder of the tests) plays all of it, prints it as a page of Markdown, and
exits with 1 when anything was left.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from longshore.testing.crash_matrix import Case, Comes, Left, Row, edge_table, edges, play, reached

from .steps import STEPS
from .world import live, random_steps

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


def matrix() -> list[Row]:
    """Give a row for each step, before and after."""
    return list(edges({name: name for name in STEPS}, dict.fromkeys(LATER, f"after {_GO} 1")))


def storms(seeds: int) -> Iterator[Row]:
    """Give a row for each fault: killed up to three times at random moments, so many times over."""
    for fault, rates in FAULTS.items():
        for comes in (Comes.RESUME, Comes.GC):
            cases = [Case(steps=random_steps(seed), comes=comes, faults=rates, seed=seed) for seed in range(seeds)]
            yield f"{fault}, then {comes}", cases


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
        *edge_table(edge_rows, found[: len(edge_rows)]),
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
    more = [f"| {name} | {storm_cells(lefts)} |" for (name, _), lefts in zip(storm_rows, found[ends:], strict=True)]
    return "\n".join([*head, *middle, *more, ""])


def main(words: Sequence[str]) -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(description="Play the crash matrix.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, default=5, help="runs for each fault")
    given = parser.parse_args(words)
    edge_rows, storm_rows = matrix(), list(storms(given.seeds))
    found = play([*edge_rows, *storm_rows], given.jobs, live)
    sys.stdout.write(page(edge_rows, storm_rows, found, given.seeds))
    told = [list(zip(cases, lefts, strict=True)) for (_, cases), lefts in zip(edge_rows, found, strict=False)]
    all_reached = all(reached(case, left) for row in told for case, left in row)
    return 0 if all_reached and all(left.clean for lefts in found for left in lefts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
