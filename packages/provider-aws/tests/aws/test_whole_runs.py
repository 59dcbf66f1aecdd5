"""Whole runs on machines of AWS: moto is the API, and each instance a host that executes the boot data it was sent."""

from __future__ import annotations

import base64
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from longshore import Run, resume
from longshore.model.events import AttemptStarted, MachineAdded, MachineGone
from longshore.model.machine_spec import Tag
from longshore.model.outcome import FailureClass
from longshore.testing.mortal import hear

from .rig import Cloud
from .story import SECONDS, Story, phases


@pytest.fixture
def story(hosted: tuple[Cloud, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    cloud, disks = hosted
    cloud.reset()
    story = Story(tmp_path, cloud, disks)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in story.env.items():
        monkeypatch.setenv(name, value)
    return story


def started(run: Run) -> list[AttemptStarted]:
    return [event for _, event in run.reader().events(kind="AttemptStarted") if isinstance(event, AttemptStarted)]


def gone(run: Run) -> list[MachineGone]:
    return [event for _, event in run.reader().events(kind="MachineGone") if isinstance(event, MachineGone)]


def machines(run: Run) -> list[str]:
    return [event.machine for _, event in run.reader().events(kind="MachineAdded") if isinstance(event, MachineAdded)]


FAN = """
machines = { max = 2 }

[environments.sci]
before = "echo built >> $HOME/built"
pip = ["--no-index", "--find-links /opt/wheels", "greeting"]

[tasks.raw]
command = "python -c 'import greeting; print(greeting.WORD)' > raw.txt; seq 1000 >> raw.txt"
outputs = ["raw.txt"]
pool = "cloud"
environment = "sci"

[tasks.part]
for_each.n = { range = [1, 4] }
command = "head -n $n workflow:///raw/raw.txt > part.txt; cat own.txt >> part.txt"
inputs = ["own.txt"]
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "cat workflow:///part/*/part.txt > all.txt"
outputs = ["all.txt"]
"""


def wheel() -> str:
    """Make a small package, as a root's script that lays it down."""
    info, made = "greeting-1.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("greeting.py", "WORD = 'hello'\n")
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    place = "/opt/wheels/greeting-1.0-py3-none-any.whl"
    text = base64.b64encode(made.getvalue()).decode()
    return f"#!/bin/sh\nmkdir -p /opt/wheels; echo {text} | base64 -d > {place}; chmod 644 {place}\n"


def test_a_script_runs_from_rent_to_sweep_with_its_software_and_its_files(story: Story) -> None:
    story.write("", FAN, wheel())
    (story.folder / "own.txt").write_text("own\n")

    said = story.command("run", "--yes")

    assert said.returncode == 0, said.stdout + said.stderr
    [results] = story.folder.glob("results/2*/all/all.txt")
    lines = ["hello", *map(str, range(1, 4))]
    assert results.read_text() == "".join("".join(f"{line}\n" for line in [*lines[:n], "own"]) for n in range(1, 5))
    story.check_nothing_is_left()


WAITING = """
[tasks.work]
for_each.i = [1, 2]
command = "until test -e $HOME/go; do sleep 0.05; done; echo $LONGSHORE_ATTEMPT > out.txt"
outputs = ["out.txt"]
pool = "cloud"
"""


def fingerprint(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def test_from_the_first_login_on_only_the_host_key_that_was_born_there_is_believed(story: Story) -> None:
    with story.start("", WAITING) as run:
        run.wait(until=lambda each: len(started(each)) == 2, timeout=SECONDS)
        [instance] = story.instances()
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        [note] = (story.home / "state" / "longshore" / "ssh" / "hosts").iterdir()
        keys = story.disks / instance["InstanceId"] / "etc" / "ssh"

        assert fingerprint(keys / "ssh_host_ecdsa_key.pub") == tags[Tag.HOST_KEY]
        assert fingerprint(keys / "ssh_host_ed25519_key.pub") == note.read_text().strip()

        said = story.command("machines", "exec", instance["InstanceId"], "--", "touch", "go")
        assert said.returncode == 0, said.stderr
        run.wait(timeout=SECONDS)
    assert run.state == "succeeded"


KEPT = """
when_idle = "keep"

[environments.tools]
before = "echo built >> $HOME/built"

[tasks.job]
command = "cat $HOME/built > out.txt; echo {} >> out.txt"
outputs = ["out.txt"]
pool = "cloud"
environment = "tools"
"""


def test_a_second_run_on_a_kept_machine_builds_nothing(story: Story) -> None:
    with story.start("", KEPT.format(1)) as first:
        first.wait(timeout=SECONDS)

    with story.start("", KEPT.format(2)) as run:
        run.wait(timeout=SECONDS)

    assert (run.results / "job" / "out.txt").read_text() == "built\n2\n"
    assert set(machines(run)) == set(story.cloud.control("hosts"))


def test_attempts_on_a_spot_machine_that_is_taken_run_again_on_another_within_the_run(story: Story) -> None:
    # An answer may take long on a busy computer, and one that does not come says nothing of why the machine is gone.
    with story.start("spot = true\nmachines = { max = 1 }\nreconnect = '1 s'", WAITING, deadline="15 s") as run:
        run.wait(until=lambda each: len(started(each)) == 2, timeout=SECONDS)
        [first] = machines(run)
        story.cloud.control("reclaim", machine=first, after=0.5)
        run.wait(until=lambda each: len(machines(each)) == 2, timeout=SECONDS)
        (story.home_on(machines(run)[1]) / "go").touch()
        run.wait(timeout=SECONDS)

    assert run.state == "succeeded"
    assert [task.attempts for task in run.tasks()] == [2, 2]
    assert [event.failure for event in gone(run) if event.machine == first] == [FailureClass.PREEMPTED]
    story.check_nothing_is_left()


def test_a_controller_that_is_killed_is_continued_on_the_same_machine_and_nothing_runs_twice(story: Story) -> None:
    story.write("", WAITING)
    with story.controller() as controller:
        hear(controller, "AttemptStarted", 2)
        controller.kill()
    [instance] = story.instances()
    (story.home_on(instance["InstanceId"]) / "go").touch()

    with resume(story.folder) as run:
        run.wait(timeout=SECONDS)

    assert phases(run.tasks()) == {"work[i=1]": "succeeded", "work[i=2]": "succeeded"}
    assert [task.attempts for task in run.tasks()] == [1, 1]
    assert set(machines(run)) == {instance["InstanceId"]}
    story.check_nothing_is_left()


LONG = """
[tasks.long]
command = "sleep 8"
pool = "cloud"

[tasks.longer]
command = "sleep 1000"
after = ["long"]
pool = "cloud"
"""


def test_a_machine_lives_while_it_is_attended_to_and_powers_itself_off_when_the_controller_is_gone(
    story: Story,
) -> None:
    story.write('unattended = "6 s"', LONG)
    with story.controller() as controller:
        hear(controller, "AttemptEnded")  # longer than the machine lives alone
        assert len(story.cloud.control("hosts")) == 1
        controller.kill()

    assert story.cloud.control("off", seconds=25)
    assert story.instances() == []
    said = story.command("gc", "--wait")
    assert said.returncode == 0, said.stdout + said.stderr
    story.check_nothing_is_left()
