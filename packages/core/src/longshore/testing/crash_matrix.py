"""The crash matrix: at each step of a run the controller is killed, then somebody comes, and it is seen what is left.

What a world is made of, and how it is looked at, is each provider's own; how cases are played and told is here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from attrs import field, frozen

__all__ = ["Case", "Comes", "Left", "Row", "control", "edge_table", "edges", "play", "reached"]

_LIFE_SECONDS = 900.0


class Comes(StrEnum):
    """Who comes after the controller's death."""

    RESUME = "resume"
    """The run is resumed."""
    GC = "gc"
    """Only ``gc``, when nobody has attended for long."""
    NOBODY = "nobody"
    """The machines are left to themselves."""


@frozen(kw_only=True)
class Case:
    """One death, or several."""

    steps: tuple[str, ...]
    """Where each life of the controller ends, as `longshore.testing.dying` has it."""
    comes: Comes
    faults: Mapping[str, float] = field(factory=dict[str, float])
    seed: int = 0


@frozen(kw_only=True)
class Left:
    """What was left. Nothing of it may be."""

    killed: int
    """So many lives ended by the kill; the others ended well before it came."""
    alive: int
    """Machines that still cost."""
    leases: int
    sides: int
    twice: tuple[str, ...]
    """Tasks that were executed again though their success was known, or though nothing was lost."""
    lost: str
    """What is wrong with the results."""
    paid_seconds: float = 0.0
    """The longest that one machine was paid for after the controller's death, or at all."""
    bound_seconds: float | None = None
    """None where nobody counts."""

    @property
    def clean(self) -> bool:
        """Whether all is as it must be."""
        too_long = self.bound_seconds is not None and self.paid_seconds > self.bound_seconds
        return not (self.alive or self.leases or self.sides or self.twice or self.lost or too_long)

    @property
    def paid(self) -> str:
        """What was paid for, in words; empty where nobody counts."""
        if self.bound_seconds is None:
            return ""
        return f"{self.paid_seconds / 60:.0f} of {self.bound_seconds / 60:.0f} min paid"


Row = tuple[str, Sequence[Case]]


def edges(steps: Mapping[str, str], later: Mapping[str, str], comes: Sequence[Comes] = tuple(Comes)) -> Iterator[Row]:
    """Give a row for each step: killed there, before and after, and then each of those comes who can.

    Args:
        steps: names of steps as `longshore.testing.dying` has them, each with how readers call it.
        later: steps of a controller that takes over, each with where the one before it has been killed.
        comes: who comes, in the order of the columns.
    """
    for name, called in steps.items():
        for side in ("before", "after"):
            killed = (*([later[name]] if name in later else []), f"{side} {name} 1")
            yield f"{side} `{called}`", [Case(steps=killed, comes=each) for each in comes]


def play(rows: Sequence[Row], jobs: int, live: Callable[[Path, Case], Left]) -> list[list[Left]]:
    """Play all cases, several at once, each in a folder of its own; say on stderr how far it is."""
    with tempfile.TemporaryDirectory(prefix="longshore-chaos-") as folder, ThreadPoolExecutor(jobs) as pool:
        numbered = [(index, case) for index, (_, cases) in enumerate(rows) for case in cases]
        folders = [Path(folder) / str(number) for number in range(len(numbered))]
        found: list[list[Left]] = [[] for _ in rows]
        played = pool.map(live, folders, [case for _, case in numbered])
        for (index, case), left in zip(numbered, played, strict=True):
            good = left.clean and (case.faults or reached(case, left))
            sys.stderr.write("." if good else f"{case}: {left}\n")
            sys.stderr.flush()
            found[index].append(left)
    sys.stderr.write("\n")
    return found


def reached(case: Case, left: Left) -> bool:
    """Say whether each life of the controller has ended where it was to end."""
    return left.killed == len(case.steps)


def edge_table(rows: Sequence[Row], found: Sequence[Sequence[Left]]) -> list[str]:
    """Write rows of edges as a table of Markdown, with its head."""
    words = {Comes.RESUME: "then it is resumed", Comes.GC: "then only `gc` comes", Comes.NOBODY: "then nobody comes"}
    comes = [case.comes for case in rows[0][1]]
    return [
        f"| killed | {' | '.join(words[each] for each in comes)} |",
        f"|{'---|' * (len(comes) + 1)}",
        *(
            f"| {name} | {' | '.join(map(_cell, lefts, cases))} |"
            for (name, cases), lefts in zip(rows, found, strict=True)
        ),
    ]


def _cell(left: Left, case: Case) -> str:
    """Say how one case has ended."""
    if not reached(case, left):
        return f"**not reached; {left}**"
    if left.clean:
        return f"nothing; {left.paid}" if left.paid else "nothing"
    words = (
        f"{left.alive} alive, {left.leases} leases, {left.sides} sides, twice: {', '.join(left.twice) or 'none'}, "
        f"lost: {left.lost or 'none'}"
    )
    return f"**{words}, {left.paid}**" if left.paid else f"**{words}**"


def control(project: Path, when: str, steps: Sequence[str], env: Mapping[str, str], *, said: Path) -> int:
    """Let a controller live until it has ended or is killed; give its exit code.

    What it complains of is written to ``said`` when it ends by itself and not well.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "longshore.testing.dying", str(project), when, *steps],
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            _, words = process.communicate(timeout=_LIFE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return 98
    if process.returncode > 0:
        said.write_text(words)
    return process.returncode
