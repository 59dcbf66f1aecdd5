"""Controllers that go away: their machines live on, are found again, and are not forgotten."""

from __future__ import annotations

import fcntl
from datetime import timedelta
from pathlib import Path

import pytest

from longshore import Run, machines, resume
from longshore.model.events import AttemptStarted, MachineAdded
from longshore.runtime.history import RunReader
from longshore.runtime.ledger import Ledger
from longshore.runtime.project import Project
from longshore.testing.mortal import begin, hear
from longshore_sandbox import CloudClient
from longshore_sandbox.machine import POWER

from .conftest import HEAD, Play, check_nothing_is_left

WORK = """
[tasks.work]
for_each.i = [1, 2]
needs = { cpus = 2 }
command = "until test -e go; do sleep 0.05; done; echo $i > out.txt"
outputs = ["out.txt"]
"""
POOL = "machines = { max = 2 }\n"


def started(reader: RunReader) -> list[AttemptStarted]:
    return [event for _, event in reader.events(kind="AttemptStarted") if isinstance(event, AttemptStarted)]


def let_go(reader: RunReader) -> None:
    for event in started(reader):
        if Path(event.workdir).exists():
            (Path(event.workdir) / "go").touch()


def latest(project: Path) -> RunReader:
    return RunReader(Project(project).run_folder(Project(project).find_run(None)))


def write(project: Path) -> None:
    project.mkdir()
    (project / "longshore.toml").write_text(HEAD + POOL + WORK)


def check_each_ran_once(run: Run) -> None:
    assert run.state == "succeeded"
    assert [task.attempts for task in run.tasks()] == [1, 1]
    assert sorted((run.results / "work" / n / "out.txt").read_text() for n in "12") == ["1\n", "2\n"]


def test_a_run_that_was_let_go_leaves_its_machines_and_resume_finds_them_and_their_attempts(
    cloud: CloudClient, play: Play, tmp_path: Path
) -> None:
    first = play(POOL, WORK)
    first.wait(until=lambda each: len(started(each.reader())) == 2, timeout=120)
    first.detach()
    assert len(cloud.living()) == 2

    with resume(tmp_path / "project") as second:
        second.wait(until=lambda each: len(list(each.reader().events(kind="MachineAdded"))) == 4, timeout=120)
        let_go(second.reader())
        second.wait(timeout=120)

    check_each_ran_once(second)
    assert len(cloud.machines) == 2
    check_nothing_is_left(cloud, second)


def test_a_controller_that_is_killed_is_continued_by_another_and_nothing_runs_twice(
    cloud: CloudClient, tmp_path: Path
) -> None:
    project = tmp_path / "killed"
    write(project)
    with begin(project) as controller:
        hear(controller, "AttemptStarted", 2)
        controller.kill()
    let_go(latest(project))

    with resume(project) as run:
        run.wait(timeout=120)

    check_each_ran_once(run)
    assert len(cloud.machines) == 2
    added = [event for _, event in run.reader().events(kind="MachineAdded") if isinstance(event, MachineAdded)]
    assert {event.machine for event in added} == set(cloud.machines)
    check_nothing_is_left(cloud, run)


@pytest.mark.parametrize("step", ["OffersFound", "LeaseIntended", "LeaseChanged", "MachineAdded"])
def test_a_controller_that_is_killed_while_it_rents_leaves_no_second_machine(
    cloud: CloudClient, tmp_path: Path, step: str
) -> None:
    project = tmp_path / "killed"
    write(project)
    with begin(project) as controller:
        hear(controller, step)
        controller.kill()

    with resume(project) as run:
        run.wait(until=lambda each: len(started(each.reader())) >= 2, timeout=120)
        let_go(run.reader())
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert len({event.task for event in started(run.reader())}) == len(started(run.reader())) == 2
    assert len(cloud.machines) == 2
    check_nothing_is_left(cloud, run)


def test_after_a_kill_gc_alone_ends_the_machines_when_nobody_has_attended_to_them(
    cloud: CloudClient, tmp_path: Path
) -> None:
    project = tmp_path / "killed"
    project.mkdir()
    (project / "longshore.toml").write_text(f'{HEAD}unattended = "3 s"\n{POOL}{WORK}')
    with begin(project) as controller:
        hear(controller, "AttemptStarted", 2)
        controller.kill()

    for machine in cloud.living():  # they go by themselves, without any word from us
        with (cloud.folder / "machines" / machine.id / POWER).open() as power:
            fcntl.flock(power, fcntl.LOCK_SH)
    assert cloud.living() == []
    machines.gc(folder=project, patience=timedelta(seconds=60))
    with Ledger.open() as ledger:
        assert ledger.leases() == []
    assert cloud.sides == {}


def test_a_run_that_was_let_go_and_is_cancelled_ends_its_machines(
    cloud: CloudClient, play: Play, tmp_path: Path
) -> None:
    first = play(POOL, WORK)
    first.wait(until=lambda each: len(started(each.reader())) == 2, timeout=120)
    first.detach()

    second = resume(tmp_path / "project")
    second.cancel()
    second.wait(timeout=120)

    assert second.state == "cancelled"
    check_nothing_is_left(cloud, second)
