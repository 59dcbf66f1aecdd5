"""A run on rented machines whose controller is killed, and what is left of it all when somebody, or nobody, comes."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from longshore.errors import LongshoreError
from longshore.machines.collecting import collect
from longshore.machines.fleet import Fleet, open_fleet
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.testing.crash_matrix import Case, Comes, Left, control
from longshore_sandbox import CloudClient

from .steps import STEPS

UNATTENDED = timedelta(minutes=30)
_AWAY = timedelta(minutes=5)
"""So long nobody attends to the machines before the run is resumed."""
_GRACE = timedelta(minutes=11)
_LIVES = 6
_SLACK_SECONDS = 60.0
"""What the requests themselves take, on the cloud's clock."""

_CLOUD = """
clock = "manual"
latency = "0 s"
listing_lag = "0 s"
deadline = "1 s"
seed = {seed}
power_off_still_costs = {costs}
"""
_WORKFLOW = """
name = "matrix"
max_cost = "50 USD"

[providers.sandbox]
folder = "{cloud}"

[pools.cloud]
provider = "sandbox"
executor = "sandbox"
needs = {{ cpus = 2 }}
machines = {{ max = 2 }}
unattended = "30 min"

[tasks.raw]
command = "echo $$ >> {counters}/raw; seq 100 > raw.txt"
outputs = ["raw.txt"]
pool = "cloud"

[tasks.part]
for_each.n = {{ range = [1, 4] }}
command = "echo $$ >> {counters}/part-$n; head -n $n workflow:///raw/raw.txt > part.txt"
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "echo $$ >> {counters}/all; cat workflow:///part/*/part.txt > all.txt"
outputs = ["all.txt"]
pool = "cloud"
"""
_RESULT = "".join(f"{line}\n" for n in range(1, 5) for line in range(1, n + 1))


class World:
    """A cloud, a project and a ledger of their own."""

    def __init__(self, folder: Path, case: Case) -> None:
        self._case = case
        self._counters = folder / "counters"
        self._counters.mkdir(parents=True)
        self._project = folder / "project"
        self._project.mkdir()
        self._state = folder / "state"
        self.cloud = CloudClient(folder / "cloud")
        self.cloud.folder.mkdir()
        costs = "true" if case.comes is Comes.GC else "false"
        faults = "".join(f'"{name}" = {rate}\n' for name, rate in case.faults.items())
        (self.cloud.folder / "cloud.toml").write_text(
            _CLOUD.format(seed=case.seed, costs=costs) + (f"[faults]\n{faults}" if faults else "")
        )
        (self._project / "longshore.toml").write_text(
            _WORKFLOW.format(cloud=self.cloud.folder, counters=self._counters)
        )

    def close(self) -> None:
        """Leave nothing running."""
        self.cloud.reset()
        self.cloud.shut_down()

    def control(self, step: str) -> int:
        """Let a controller live until it has ended or is killed; give its exit code."""
        environment = {"XDG_STATE_HOME": str(self._state), "XDG_CONFIG_HOME": str(self._state / "config")}
        return control(self._project, step, STEPS, environment, said=self._state / "said")

    def live(self) -> Left:
        """Let the controller die as the case says, then let come who comes; say what is left."""
        killed = 0
        for step in self._case.steps:
            killed += self.control(step) == -signal.SIGKILL
            self.cloud.time.wait(_AWAY)
        before = self._succeeded()
        problem = ""
        bound = _SLACK_SECONDS + len(self._case.steps) * _AWAY.total_seconds()
        if self._case.comes is Comes.RESUME:
            problem = self._resume()
            paid, alive = self._paid()
            self._collect()
            twice = [name for name, count in self._executions().items() if count > 1]
        else:
            self.cloud.time.wait(UNATTENDED + _GRACE)
            bound += UNATTENDED.total_seconds()
            if self._case.comes is Comes.GC:
                bound += _GRACE.total_seconds()
                self._collect()
            paid, alive = self._paid()
            self._collect()
            twice = [name for name in before if self._executions().get(name) != 1]
        with self._fleet() as fleet:
            leases = len(fleet.ledger.leases())
        return Left(
            killed=killed,
            alive=alive,
            paid_seconds=paid,
            bound_seconds=bound,
            leases=leases,
            sides=len(self.cloud.sides),
            twice=tuple(sorted(twice)),
            lost=problem or self._lost(before),
        )

    def _resume(self) -> str:
        code = -1
        for _ in range(_LIVES):
            code = self.control("never")
            if code == 0:
                return ""
            self.cloud.time.wait(timedelta(minutes=1))
        said = self._state / "said"
        return f"exit code {code}: {said.read_text().strip().splitlines()[-1:] if said.exists() else ''}"

    def _lost(self, before: Sequence[str]) -> str:
        """Say what is missing of the results, or of what had succeeded before the controller's death."""
        runs = list(Project(self._project).run_ids())
        if not runs:
            return "" if self._case.comes is not Comes.RESUME else "there is no run"
        if self._case.comes is Comes.RESUME:
            result = Project(self._project).results(runs[0]) / "all" / "all.txt"
            if not result.exists() or result.read_text() != _RESULT:
                return "the result is not what it should be"
        missing = set(before) - set(self._succeeded())
        return f"the journal has forgotten {', '.join(sorted(missing))}" if missing else ""

    def _succeeded(self) -> list[str]:
        """Name the tasks whose success is in the journal, as their counters are named."""
        found: list[str] = []
        for run in Project(self._project).run_ids():
            rows = RunReader(Project(self._project).run_folder(run)).tasks()
            found += [row.id.replace("[n=", "-").rstrip("]") for row in rows if row.phase == "succeeded"]
        return found

    def _executions(self) -> dict[str, int]:
        return {path.name: len(path.read_text().splitlines()) for path in self._counters.iterdir()}

    def _paid(self) -> tuple[float, int]:
        machines = self.cloud.machines.values()
        return max((each.paid_seconds for each in machines), default=0.0), sum(each.ended is None for each in machines)

    def _fleet(self) -> Fleet:
        fleet = open_fleet(self._project, ledger=self._state / "longshore" / "ledger.db")
        fleet.now, fleet.wait = self.cloud.time.now, self.cloud.time.wait
        return fleet

    def _collect(self) -> None:
        """What ``longshore gc --wait`` does, by the cloud's clock."""
        with self._fleet() as fleet:
            for _ in range(_LIVES):
                try:
                    if collect(fleet, providers=["sandbox"], patience=timedelta(minutes=15)).clean:
                        return
                except LongshoreError:
                    continue  # its cloud has its moods, and it is asked again


def live(folder: Path, case: Case) -> Left:
    """Play a case in a folder of its own, which is gone afterwards."""
    world = World(folder, case)
    try:
        return world.live()
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)


def random_steps(seed: int) -> tuple[str, ...]:
    """Choose up to three random moments to die at."""
    rng = random.Random(seed)
    return tuple(f"any {rng.randint(1, 120)}" for _ in range(rng.randint(1, 3)))
