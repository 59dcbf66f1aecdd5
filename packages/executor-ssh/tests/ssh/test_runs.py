"""Whole runs over several hosts, by the command."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from longshore_ssh.testing import Lab

from .project import DIAMOND, Project


def test_the_diamond_runs_on_four_hosts_and_its_end_comes_home(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, DIAMOND)

    project.say("run")

    [result] = project.folder.glob("results/latest/D/d.txt")
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.users_of("B") != project.users_of("C"), "two tasks at once on a host with one core"
    assert project.count("ABCD") == dict.fromkeys("ABCD", 1)
    assert [path for host in lab.hosts for path in host.cache.glob("runs/*")] == [], "something of the run is left"


@pytest.mark.parametrize("seed", range(int(os.environ.get("LONGSHORE_CHAOS_SEEDS", "3"))))
def test_a_controller_that_is_killed_at_any_moment_is_taken_over_and_nothing_runs_twice(
    lab: Lab, tmp_path: Path, seed: int
) -> None:
    project = Project(tmp_path, lab, DIAMOND)
    dice = random.Random(seed)
    words = ["run"]
    for _ in range(3):
        with subprocess.Popen(
            project.command(*words),
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as controller:
            try:
                controller.wait(dice.uniform(0.5, 4.0))
            except subprocess.TimeoutExpired:
                controller.kill()
        if list(project.folder.glob(".longshore/runs/*/run.db")):
            words = ["resume"]

    if words == ["run"] or json.loads(project.say("status", "--json"))["state"] != "succeeded":
        project.say(*words)

    # Not by way of "latest": one who was killed after the run's end had no time to say which that is.
    [result] = [path for path in project.folder.glob("results/*/D/d.txt") if "latest" not in path.parts]
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count("ABCD") == dict.fromkeys("ABCD", 1)


def test_a_python_call_is_made_by_the_hosts_own_python(lab: Lab, tmp_path: Path) -> None:
    text = """
name = "calls"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.where]
call = "model:where"
outputs = ["place.txt"]
"""
    project = Project(tmp_path, lab, text)
    (project.folder / "model.py").write_text(
        "import os\ndef where():\n    open('place.txt', 'w').write(os.environ['HOME'])\n"
    )

    project.say("run")

    [result] = project.folder.glob("results/latest/where/place.txt")
    assert result.read_text() in {str(host.home) for host in lab.hosts}


_MEND = """
name = "mend"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.sum]
for_each.n = [1, 2]
script = "sum.sh data.bin"
inputs = ["data.bin"]
outputs = ["sum.txt"]
"""
_DATA_BYTES = 8 << 20


def test_when_a_script_was_mended_nothing_is_sent_but_the_script(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _MEND, hosts=1, metered=True)
    [meter] = project.meters
    (project.folder / "data.bin").write_bytes(os.urandom(_DATA_BYTES))
    (project.folder / "sum.sh").write_text("wc -l $1 > sum.txt  # a bug\n")
    project.say("run")
    first = meter.sent
    (project.folder / "sum.sh").write_text("wc -c < $1 > sum.txt\n")

    project.say("run")

    assert first > _DATA_BYTES
    assert meter.sent - first < _DATA_BYTES / 8, "the data were sent again"
    sums = [path.read_text() for path in project.folder.glob("results/latest/sum/*/sum.txt")]
    assert sums == [f"{_DATA_BYTES}\n"] * 2


_IGNORING = """
name = "ignoring"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.here]
command = "find src -type f | sort > found.txt"
inputs = ["src/"]
outputs = ["found.txt"]
pool = "local"

[tasks.there]
command = "find src -type f | sort > found.txt"
inputs = ["src/"]
outputs = ["found.txt"]
pool = "lab"
"""

_HEAVY = """
name = "heavy"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.there]
command = "find src -type f > found.txt"
inputs = ["src/"]
outputs = ["found.txt"]
repeat = 2
"""


def test_what_a_folder_ignores_goes_nowhere_and_makes_no_task_run_again(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _IGNORING, hosts=1)
    for path in ("a.c", "build/a.o", "deep/b.log", "deep/keep.log"):
        place = project.folder / "src" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x")
    (project.folder / ".gitignore").write_text("*.log\n")
    (project.folder / "src" / ".gitignore").write_text("/build/\n!keep.log\n")
    project.say("run")
    (project.folder / "src" / "build" / "a.o").write_text("changed")
    project.say("run")

    found = {path.parent.name: path.read_text() for path in project.folder.glob("results/latest/*/found.txt")}
    kept = "src/.gitignore\nsrc/a.c\nsrc/deep/keep.log\n"
    assert found == {"here": kept, "there": kept}
    for task in ("here", "there"):
        assert "up to date" in project.say("explain", task)


def test_a_heavy_folder_is_told_of_before_it_is_sent_and_only_once(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _HEAVY, hosts=2)
    for path, size in (("src/raw/a", 101 << 20), ("src/b", 1 << 10)):
        (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (project.folder / path).open("wb") as file:
            file.truncate(size)

    first, second = project.told("run"), project.told("run")

    assert first.count("the input folder src, which is sent to machines, has 101 MiB: raw 101 MiB, b 1 KiB;") == 1
    assert "input folder" not in second, "nothing was sent"
