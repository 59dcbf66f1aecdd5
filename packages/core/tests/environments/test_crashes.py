"""What becomes of a build when those who asked for it, or who started it, are killed in its middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest

from longshore import resume
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt
from longshore.runtime.asking import ask
from longshore.runtime.journal import Journal
from longshore.runtime.project import Project

SECONDS = 120.0
CONTROLLER = """
import sys
from pathlib import Path
from longshore import RunOptions, load, start
loaded = load(Path(sys.argv[1]) / "longshore.toml")
with start(loaded.spec, loaded.folder, RunOptions()) as run:
    run.wait(timeout=120)
print(run.state)
"""


class Stage:
    """A workflow whose environment tells when it is being built, and waits until it may go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = folder / "count"
        self.gate = folder / "gate"
        os.mkfifo(self.gate)
        os.mkfifo(folder / "begun")
        self._begun = os.open(folder / "begun", os.O_RDWR | os.O_NONBLOCK)
        (folder / "longshore.toml").write_text(
            'name = "w"\n[environments.sci]\n'
            f"before = '''echo built >> {self.count}; echo begun > {folder}/begun; read line < {self.gate}\n"
            "echo done > $LONGSHORE_ENVIRONMENT/done'''\n"
            '[tasks.a]\ncommand = "cat $LONGSHORE_ENVIRONMENT/done > a.txt"\noutputs = ["a.txt"]\ntimeout = "20 s"\n'
        )

    @contextmanager
    def controller(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLER, str(self.folder)], stdout=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def wait_building(self) -> None:
        """Wait until another build has begun."""
        readable, _, _ = select([self._begun], [], [], SECONDS)
        assert readable, "nothing is built"
        assert os.read(self._begun, 100) == b"begun\n"

    def close(self) -> None:
        os.close(self._begun)

    def let_go(self) -> None:
        with self.gate.open("w") as writer:
            writer.write("go\n")

    @property
    def run_folder(self) -> Path:
        project = Project(self.folder)
        return project.run_folder(project.find_run(None))

    def supervisor(self) -> int:
        lines = (self.run_folder / "machines" / "local" / "record").read_text().splitlines()
        return [int(entry["pid"]) for line in lines if (entry := json.loads(line))["event"] == "supervisor"][-1]


@pytest.fixture
def stage(project: Path) -> Iterator[Stage]:
    stage = Stage(project)
    yield stage
    stage.close()


def test_a_build_outlives_its_controller_and_is_taken_over(stage: Stage) -> None:
    with stage.controller() as controller:
        stage.wait_building()
        controller.kill()
        controller.wait()

    with resume(stage.folder) as run:
        stage.let_go()
        run.wait(timeout=SECONDS)

    assert run.state == "succeeded"
    assert (run.results / "a" / "a.txt").read_text() == "done\n"
    assert stage.count.read_text() == "built\n"
    journal = Journal.open(run.folder)
    events = [each for each in journal.events() if isinstance(each, BuildIntended | EnvironmentBuilt)]
    journal.close()
    assert [type(each).__name__ for each in events] == ["BuildIntended", "EnvironmentBuilt"]


def test_a_build_outlives_its_supervisor(stage: Stage) -> None:
    with stage.controller() as controller:
        stage.wait_building()
        os.kill(stage.supervisor(), signal.SIGKILL)
        stage.let_go()
        assert controller.communicate(timeout=SECONDS)[0] == "succeeded\n"

    assert stage.count.read_text() == "built\n"


def test_a_build_that_is_killed_with_its_supervisor_leaves_nothing_that_is_used(stage: Stage, root: Path) -> None:
    with stage.controller() as controller:
        stage.wait_building()
        supervisor = stage.supervisor()
        builder = _child_of(supervisor)
        os.kill(supervisor, signal.SIGKILL)
        os.killpg(builder, signal.SIGKILL)
        [half] = [path for path in root.iterdir() if path.is_dir()]
        (half / "half").touch()
        stage.wait_building()
        stage.let_go()
        assert controller.communicate(timeout=SECONDS)[0] == "succeeded\n"

    assert not (half / "half").exists()
    assert (half / "done").exists()


def _child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_a_cancelled_run_ends_its_build_and_the_next_one_begins_anew(stage: Stage, root: Path) -> None:
    with stage.controller() as controller:
        stage.wait_building()
        ask(stage.run_folder, "cancel", {"tasks": []})
        assert controller.communicate(timeout=SECONDS)[0] == "cancelled\n"

    assert not list(root.glob("*.json"))
    with stage.controller() as controller:
        stage.wait_building()
        stage.let_go()
        assert controller.communicate(timeout=SECONDS)[0] == "succeeded\n"
