"""Whole runs over several hosts, by the command."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from longshore_ssh.testing import Lab

SECONDS = 120.0

_DIAMOND = """
name = "diamond"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.A]
command = "echo 'hello from A' > a.txt; echo x >> $HOME/A"
outputs = ["a.txt"]

[tasks.B]
command = "tr a-z A-Z < workflow:///A/a.txt > b.txt; echo x >> $HOME/B; sleep 0.5"
outputs = ["b.txt"]

[tasks.C]
command = "cp workflow:///A/a.txt c.txt; echo x >> $HOME/C; sleep 0.5"
outputs = ["c.txt"]

[tasks.D]
command = "cat workflow:///B/b.txt workflow:///C/c.txt > d.txt; echo x >> $HOME/D"
outputs = ["d.txt"]
"""


class Project:
    """A workflow file on some hosts, and a user whose ``~/.ssh/config`` knows them."""

    def __init__(
        self, folder: Path, lab: Lab, text: str, *, hosts: int = 4, path: Path | None = None, metered: bool = False
    ) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.folder.mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        names = [f"h{number}" for number in range(1, hosts + 1)]
        for _ in names:
            lab.host(path=path)
        self.lab = lab
        self.meters = [lab.meter(host) for host in lab.hosts] if metered else []
        (self.home / ".ssh" / "config").write_text(lab.ssh_config(*names))
        tables = ", ".join(f'{{ host = "{name}", cpus = 1 }}' for name in names)
        (self.folder / "longshore.toml").write_text(text.replace("{hosts}", tables))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "longshore_cli", *words]

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}

    def say(self, *words: str, code: int = 0) -> str:
        done = self._done(words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def fail(self, *words: str) -> str:
        """Give what is said when it fails."""
        done = self._done(words)
        assert done.returncode, done.stdout
        return done.stderr

    def _done(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )

    def count(self, names: Sequence[str]) -> dict[str, int]:
        """Say how often each task has been executed, on all hosts together."""
        files = {name: [host.home / name for host in self.lab.hosts] for name in names}
        return {name: sum(f.read_text().count("x") for f in found if f.exists()) for name, found in files.items()}

    def users_of(self, name: str) -> list[str]:
        return [host.address for host in self.lab.hosts if (host.home / name).exists()]


def test_the_diamond_runs_on_four_hosts_and_its_end_comes_home(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _DIAMOND)

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
    project = Project(tmp_path, lab, _DIAMOND)
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
