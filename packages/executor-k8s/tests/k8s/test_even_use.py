"""Tasks go to all workers alike, as the run's journal shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from longshore.runtime.history import RunReader

from .project import Project
from .standin import StandIn

_TASKS = """
[tasks.all]
for_each.n = { range = [1, 12] }
command = "touch {counts}/all-$n; until [ $(ls {counts} | grep -c ^all) = 12 ]; do sleep 0.05; done"

[tasks.half]
for_each.n = { range = [1, 6] }
command = "touch {counts}/half-$n; until [ $(ls {counts} | grep -c ^half) = 6 ]; do sleep 0.05; done"
after = ["all"]

[tasks.short]
for_each.n = { range = [1, 60] }
command = "true"
after = ["half"]
"""


def test_short_tasks_are_spread_evenly_over_workers_that_are_as_free(standin: StandIn, tmp_path: Path) -> None:
    """Twelve tasks that wait for each other need all workers; then six could be on two of them, and are on all."""
    project = Project(tmp_path, standin, "workers = 3\ncpus = 4", _TASKS)

    project.say("run", "--strategy", "spread")

    [run] = (project.folder / ".longshore" / "runs").iterdir()
    tasks = RunReader(run).replay().tasks
    used = Counter((name.partition("[")[0], task.machine) for name, task in tasks.items())
    workers = [f"cluster.{number}" for number in (1, 2, 3)]
    assert [used["all", worker] for worker in workers] == [4, 4, 4]
    assert [used["half", worker] for worker in workers] == [2, 2, 2]
    # Who is the first to have finished some gets more; nobody is left out.
    assert min(used["short", worker] for worker in workers) >= 4
    assert sum(used["short", worker] for worker in workers) == 60
