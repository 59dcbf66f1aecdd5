"""Tasks in container images, by a real podman, and by a real docker where its service is installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from longshore import Run, load, start
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.runtime.logs import log_paths
from longshore.testing.containers import Engine, docker, podman, programs_without

from .conftest import Play

IMAGE = "localhost/longshore-tiny:1"
WORKFLOW = """\
name = "w"
env_file = ".env"
[environments.sci]
image = "IMAGE"
"""


@pytest.fixture(scope="module", params=[podman, docker], ids=["podman", "docker"])
def started(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with request.param(IMAGE) as engine:
        yield engine


@pytest.fixture
def engine(started: Engine, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """What executes tasks in images here; it has one."""
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in started.settings.items()))
    if "DOCKER_HOST" in started.settings:  # podman is preferred where both are
        monkeypatch.setenv("PATH", str(programs_without(tmp_path / "programs", "podman", "uv")))
    return started


def ends(run: Run) -> list[EnvironmentBuilt | EnvironmentFailed]:
    return [each for _, each in run.reader().events() if isinstance(each, EnvironmentBuilt | EnvironmentFailed)]


def text(*parts: str) -> str:
    return "".join([WORKFLOW.replace("IMAGE", IMAGE), *parts])


@pytest.mark.usefixtures("engine")
def test_a_task_in_an_image_sees_its_workdir_alone_and_what_it_writes_is_ours(play: Play, project: Path) -> None:
    (project / "data.txt").write_text("data\n")
    look = "cat data.txt > out.txt; ls -A > seen.txt; echo $n $SAID > said.txt"
    look += f"; cat {project}/longshore.toml > not.txt 2>&1"
    table = '[tasks.look]\nfor_each.n = ["a b"]\nenv = { SAID = "it is said" }\ninputs = ["data.txt"]\n'
    outputs = 'outputs = ["out.txt", "seen.txt", "not.txt", "said.txt"]\n'

    run = play(text(table, f'command = "{look} || true"\n', outputs))

    assert run.state == "succeeded", (ends(run), run.tasks())
    [folder] = (run.results / "look").parent.glob("look*")
    results = folder if (folder / "out.txt").exists() else next(folder.iterdir())
    assert (results / "out.txt").read_text() == "data\n"
    assert {"data.txt", "out.txt", "seen.txt"} <= set((results / "seen.txt").read_text().split())
    assert "No such file" in (results / "not.txt").read_text()
    assert (results / "said.txt").read_text().splitlines()[0] == "a b it is said"
    assert (results / "out.txt").stat().st_uid == os.getuid()
    assert (run.results / "environments" / "sci.image.txt").read_text().startswith("localhost/longshore-tiny")


@pytest.mark.usefixtures("engine")
def test_scripts_of_a_build_are_executed_in_the_image_and_tasks_cannot_change_what_they_leave(play: Play) -> None:
    folder = "$LONGSHORE_ENVIRONMENT/bin"
    before = f"mkdir -p {folder}; echo 'echo tool in $(ls /bin/busybox)' > {folder}/tool; chmod 755 {folder}/tool"
    task = "[tasks.use]\ncommand = 'tool; touch $LONGSHORE_ENVIRONMENT/x 2> no.txt || cat no.txt'\n"

    run = play(text(f'before = "{before}"\n', task))

    assert run.state == "succeeded", ends(run)
    printed = log_paths(run.folder, "use", 1)[0].read_text()
    assert printed.startswith("tool in /bin/busybox\n")
    assert "Read-only file system" in printed


def test_an_exit_code_comes_out_of_the_image_and_a_timeout_ends_all_in_it(play: Play, engine: Engine) -> None:
    tasks = (
        '[tasks.code]\ncommand = "exit 7"\n'
        '[tasks.slow]\ncommand = "sleep 4321 & sleep 4321"\ntimeout = "2 s"\ngrace = "100 ms"\n'
    )

    run = play(text(tasks))

    outcomes = {task: [*run.reader().attempts(task)][-1] for task in ("code", "slow")}
    assert "exit code 7" in outcomes["code"].evidence
    assert str(outcomes["slow"].failure) == "timeout"
    living = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, timeout=120, check=True).stdout
    assert "sleep 4321" not in living
    assert engine.containers == [], "a container is left"


@pytest.mark.usefixtures("engine")
def test_an_image_that_is_nowhere_is_named(play: Play) -> None:
    run = play(WORKFLOW.replace("IMAGE", "localhost:9/nowhere:1") + '[tasks.a]\ncommand = "true"\n')

    failed = ends(run)[0]
    assert isinstance(failed, EnvironmentFailed)
    assert failed.evidence.startswith("image: localhost:9/nowhere:1")


def test_a_container_whose_supervisor_was_killed_is_removed_by_the_next_one(project: Path, engine: Engine) -> None:
    started = 'echo > here; trap "" TERM; while true; do sleep 0.2; done'
    tasks = f"[tasks.a]\ncommand = '{started}'\ngrace = \"100 ms\"\n"
    (project / "longshore.toml").write_text(text(tasks))
    loaded = load(project / "longshore.toml")

    with start(loaded.spec, loaded.folder) as run:
        machine = run.folder / "machines" / "local"
        deadline, glance = time.monotonic() + 120, Event()
        while not list(machine.glob("work/*/here")):
            assert time.monotonic() < deadline, ends(run)
            glance.wait(0.05)
        record = [json.loads(line) for line in (machine / "record").read_text().splitlines()]
        os.kill(next(each["pid"] for each in record if each["event"] == "supervisor"), signal.SIGKILL)
        run.cancel()
        run.wait(timeout=120)

    assert run.state == "cancelled"
    assert engine.containers == [], "a container is left"
