"""The crash matrix on AWS: at each step the controller is killed, and the account is looked at.

``python -m aws.matrix`` (from the folder of the tests) plays all of it, prints it as a part of a page of Markdown, and
exits with 1 when anything was left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from longshore.testing.crash_matrix import Case, Comes, Left, Row, edge_table, edges, play, reached

from .matrix_steps import LATER, STEPS
from .matrix_world import live
from .rig import Cloud, running_cloud

__all__ = ["COMES", "Accounts", "matrix"]

COMES = (Comes.RESUME, Comes.GC)
_PREFACE = """## Killed at each step, on AWS

The same run on the provider for AWS: moto is the API, behind a layer that adds what it lacks, and each instance is a
host with a network and a file system of its own, which executes the boot data that it was launched with. Time is the
real one: the run is resumed at once, and `gc` comes at once, too, with a clock that is an hour ahead. Keys, security
groups and disks are counted. That a machine for which nobody comes powers itself off is a test of its own, and what
writes the journal has no rows here: it is the same on every cloud.

Played on {today:%Y-%m-%d} by `make chaos`; a part of it is in the tests.
"""


def matrix() -> list[Row]:
    """Give a row for each step, before and after."""
    return list(edges(STEPS, LATER, COMES))


class Accounts:
    """Stand-ins for AWS, for as many cases as are played at once."""

    def __init__(self, clouds: Sequence[tuple[Cloud, Path]]) -> None:
        self._free: SimpleQueue[tuple[Cloud, Path]] = SimpleQueue()
        for each in clouds:
            self._free.put(each)

    @classmethod
    @contextmanager
    def opened(cls, count: int) -> Iterator[Accounts]:
        """Start so many, and end them."""
        with ExitStack() as stack:
            clouds = []
            for _ in range(count):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="longshore-aws-"))) / "hosts"
                clouds.append((stack.enter_context(running_cloud(folder)), folder / "disks"))
            yield cls(clouds)

    def live(self, folder: Path, case: Case) -> Left:
        """Play a case in one that is free."""
        account = self._free.get()
        try:
            return live(folder, case, *account)
        finally:
            self._free.put(account)


def main(words: Sequence[str]) -> int:
    """Play, print, judge."""
    parser = argparse.ArgumentParser(description="Play the crash matrix on AWS.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="steps whose names have this")
    given = parser.parse_args(words)
    # The library's own calls, which look at what is left, are this user's: of somebody who has an account.
    os.environ.update(
        AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="s3cr3t-login-key", AWS_EC2_METADATA_DISABLED="true"
    )
    rows = [row for row in matrix() if given.only in row[0]]
    with Accounts.opened(given.jobs) as accounts:
        found = play(rows, given.jobs, accounts.live)
    sys.stdout.write("\n".join([_PREFACE.format(today=datetime.now(UTC)), *edge_table(rows, found), ""]))
    told = [
        (case, left)
        for (_, cases), lefts in zip(rows, found, strict=True)
        for case, left in zip(cases, lefts, strict=True)
    ]
    return 0 if all(reached(case, left) and left.clean for case, left in told) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
