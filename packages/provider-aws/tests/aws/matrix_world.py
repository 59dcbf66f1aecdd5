"""A run on machines of AWS whose controller is killed, and what is left when somebody comes."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from longshore.errors import LongshoreError
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.testing.crash_matrix import Case, Comes, Left, control
from longshore.testing.story import Story

from .account import AwsAccount
from .matrix_steps import STEPS
from .rig import Cloud

__all__ = ["live"]

_UNATTENDED = "60 s"
_LIVES = 4
_MUCH_LATER = timedelta(hours=1)
"""So late ``gc`` comes, by its own clock: nobody has attended for long."""
_TASKS = """
[tasks.raw]
command = "echo raw >> $HOME/ran; seq 100 > raw.txt"
outputs = ["raw.txt"]
pool = "cloud"

[tasks.part]
for_each.n = { range = [1, 2] }
command = "echo part-$n >> $HOME/ran; head -n $n workflow:///raw/raw.txt > part.txt"
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "echo all >> $HOME/ran; cat workflow:///part/*/part.txt > all.txt"
outputs = ["all.txt"]
pool = "cloud"
"""
_RESULT = "1\n1\n2\n"


def live(folder: Path, case: Case, cloud: Cloud, disks: Path) -> Left:
    """Play a case in an account that is empty, with a folder of its own, which is gone afterwards."""
    folder.mkdir()
    cloud.reset()
    try:
        return _World(folder, case, Story(folder, {"cloud": AwsAccount.of(cloud, disks)}), cloud).live()
    finally:
        cloud.reset()
        shutil.rmtree(folder, ignore_errors=True)


class _World:
    def __init__(self, folder: Path, case: Case, story: Story, cloud: Cloud) -> None:
        self._case = case
        self._cloud = cloud
        self._story = story
        self._said = folder / "said"
        story.write(f'unattended = "{_UNATTENDED}"', _TASKS, deadline="8 s")  # a lost launch is waited for so long

    def live(self) -> Left:
        """Let the controller die as the case says, then let come who comes; say what is left."""
        killed = sum(self._control(step) == -signal.SIGKILL for step in self._case.steps)
        before = self._succeeded()
        problem = ""
        if self._case.comes is Comes.RESUME:
            problem = self._resume()
            twice = [name for name, count in self._executions().items() if count > 1]
        else:
            self._collect()
            twice = [name for name in before if self._executions()[name] != 1]
        alive = len(self._story.account.machines()) + len(self._story.account.hosts.living())
        self._collect()
        return Left(
            killed=killed,
            alive=alive,
            leases=len(self._story.leases()),
            sides=len(self._story.account.sides()),
            twice=tuple(sorted(twice)),
            lost=problem or self._lost(before),
        )

    def _control(self, step: str) -> int:
        return control(self._story.folder, step, tuple(STEPS), self._story.env, said=self._said)

    def _resume(self) -> str:
        code = -1
        for _ in range(_LIVES):
            code = self._control("never")
            if code == 0:
                return ""
        return f"exit code {code}: {self._said.read_text().strip().splitlines()[-1:] if self._said.exists() else ''}"

    def _lost(self, before: list[str]) -> str:
        """Say what is missing of the results, or of what had succeeded before the controller's death."""
        project = Project(self._story.folder)
        runs = list(project.run_ids())
        if self._case.comes is Comes.RESUME:
            result = project.results(runs[0]) / "all" / "all.txt" if runs else Path("none")
            return "" if result.exists() and result.read_text() == _RESULT else "the result is not what it should be"
        missing = set(before) - set(self._succeeded())
        return f"the journal has forgotten {', '.join(sorted(missing))}" if missing else ""

    def _succeeded(self) -> list[str]:
        """Name the tasks whose success is in the journal, as they call themselves."""
        project = Project(self._story.folder)
        rows = [row for run in project.run_ids() for row in RunReader(project.run_folder(run)).tasks()]
        return [row.id.replace("[n=", "-").rstrip("]") for row in rows if row.phase == "succeeded"]

    def _executions(self) -> Counter[str]:
        return Counter(self._cloud.control("ran"))

    def _collect(self) -> None:
        """What ``longshore gc --wait`` does, much later."""
        with suppress(LongshoreError):
            self._story.sweep(later=_MUCH_LATER)
