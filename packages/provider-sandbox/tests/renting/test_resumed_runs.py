"""Controllers that go away: their machines live on, are found again, and are not forgotten."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from longshore import Run, machines, resume
from longshore.model.events import AttemptStarted, MachineAdded
from longshore.runtime.history import RunReader
from longshore.runtime.ledger import Ledger
from longshore.runtime.project import Project
from longshore_sandbox import CloudClient

from .conftest import HEAD, Play, check_nothing_is_left

WORK = """
[tasks.work]
for_each.i = [1, 2]
needs = { cpus = 2 }
command = "until test -e go; do sleep 0.05; done; echo $i > out.txt"
outputs = ["out.txt"]
"""
POOL = "machines = { max = 2 }\n"
CONTROLLER = Path(__file__).with_name("controller.py")


def started(reader: RunReader) -> list[AttemptStarted]:
    return [event for _, event in reader.events(kind="AttemptStarted") if isinstance(event, AttemptStarted)]


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again at what another process does, which is to be killed and cannot tell."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


def let_go(reader: RunReader) -> None:
    for event in started(reader):
        if Path(event.workdir).exists():
            (Path(event.workdir) / "go").touch()


def begin(project: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CONTROLLER), str(project), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def latest(project: Path) -> RunReader | None:
    runs = list(Project(project).run_ids())
    return RunReader(project / ".longshore" / "runs" / runs[0]) if runs else None


def write(project: Path) -> None:
    project.mkdir()
    (project / "longshore.toml").write_text(HEAD + POOL + WORK)


def both_run(project: Path) -> bool:
    reader = latest(project)
    return reader is not None and len(started(reader)) == 2


def check_each_ran_once(run: Run) -> None:
    assert run.state == "succeeded"
    assert [task.attempts for task in run.tasks()] == [1, 1]
    assert sorted((run.results / "work" / n / "out.txt").read_text() for n in "12") == ["1\n", "2\n"]


def test_a_run_that_was_let_go_leaves_its_machines_and_resume_finds_them_and_their_attempts(
    cloud: CloudClient, play: Play, tmp_path: Path
) -> None:
    first = play(POOL, WORK)
    first.wait(until=lambda each: len(started(each.reader())) == 2, timeout=60)
    first.detach()
    assert len(cloud.living()) == 2

    with resume(tmp_path / "project") as second:
        second.wait(until=lambda each: len(list(each.reader().events(kind="MachineAdded"))) == 4, timeout=60)
        let_go(second.reader())
        second.wait(timeout=60)

    check_each_ran_once(second)
    assert len(cloud.machines) == 2
    check_nothing_is_left(cloud, second)


def test_a_controller_that_is_killed_is_continued_by_another_and_nothing_runs_twice(
    cloud: CloudClient, tmp_path: Path
) -> None:
    project = tmp_path / "killed"
    write(project)
    with begin(project, "run") as controller:
        wait_for(lambda: both_run(project))
        controller.kill()
    reader = latest(project)
    assert reader is not None
    let_go(reader)

    with resume(project) as run:
        run.wait(timeout=60)

    check_each_ran_once(run)
    assert len(cloud.machines) == 2
    added = [event for _, event in run.reader().events(kind="MachineAdded") if isinstance(event, MachineAdded)]
    assert {event.machine for event in added} == set(cloud.machines)
    check_nothing_is_left(cloud, run)


def test_a_controller_that_is_killed_at_any_moment_of_a_launch_leaves_no_second_machine(
    cloud: CloudClient, tmp_path: Path
) -> None:
    project = tmp_path / "killed"
    write(project)
    with begin(project, "run") as controller:
        wait_for(lambda: bool(cloud.machines))  # the answer may be on its way
        controller.kill()

    with resume(project) as run:
        run.wait(until=lambda each: len(started(each.reader())) >= 2, timeout=60)
        let_go(run.reader())
        run.wait(timeout=60)

    check_each_ran_once(run)
    assert len(cloud.machines) == 2
    check_nothing_is_left(cloud, run)


def test_after_a_kill_gc_alone_ends_the_machines_when_nobody_has_attended_to_them(
    cloud: CloudClient, tmp_path: Path
) -> None:
    project = tmp_path / "killed"
    project.mkdir()
    (project / "longshore.toml").write_text(f'{HEAD}unattended = "3 s"\n{POOL}{WORK}')
    with begin(project, "run") as controller:
        wait_for(lambda: both_run(project))
        controller.kill()

    wait_for(lambda: cloud.living() == [])  # by themselves, without any word from us
    machines.gc(folder=project, patience=timedelta(seconds=60))
    with Ledger.open() as ledger:
        assert ledger.leases() == []
    assert cloud.sides == {}


def test_a_run_that_was_let_go_and_is_cancelled_ends_its_machines(
    cloud: CloudClient, play: Play, tmp_path: Path
) -> None:
    first = play(POOL, WORK)
    first.wait(until=lambda each: len(started(each.reader())) == 2, timeout=60)
    first.detach()

    second = resume(tmp_path / "project")
    second.cancel()
    second.wait(timeout=60)

    assert second.state == "cancelled"
    check_nothing_is_left(cloud, second)
