"""Tasks in container images, by a real podman."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from longshore import Run, load, start
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.runtime.logs import log_paths

from .conftest import Play

IMAGE = "localhost/longshore-tiny:1"
PROGRAMS = "sh cat chmod echo env id ls mkdir mv rm sleep touch true".split()
CONTAINERS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""


WORKFLOW = """\
name = "w"
env_file = ".env"
[environments.sci]
image = "IMAGE"
"""


@pytest.fixture
def podman(tmp_path: Path, project: Path) -> Iterator[Path]:
    """A podman with a store of this test's own, in which there is an image of two megabytes; gives the store."""
    busybox = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if Path(path).exists()), "")
    if not (shutil.which("podman") and shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin:/bin") and busybox):
        pytest.skip("podman, runc and busybox are needed")
    (tmp_path / "containers.conf").write_text(CONTAINERS)
    # In a folder with a long name it waits 20 s for the end of each container.
    store = Path(tempfile.mkdtemp(prefix="ls-"))
    places = f'graphroot = "{store}/g"\nrunroot = "{store}/r"\n'
    (tmp_path / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{places}')
    settings = {
        "CONTAINERS_CONF": str(tmp_path / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
    }
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    _write_image(tmp_path / "tiny.tar", busybox)
    for words in (["import", str(tmp_path / "tiny.tar"), IMAGE], ["run", "--rm", "--network", "host", IMAGE, "true"]):
        done = subprocess.run(
            ["podman", *words], env={**os.environ, **settings}, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            shutil.rmtree(store)
            pytest.skip(f"podman does not work here: {done.stderr.strip()[-200:]}")
    yield store
    shutil.rmtree(store)


def _write_image(path: Path, busybox: str) -> None:
    with tarfile.open(path, "w") as tar:
        tar.add(os.path.realpath(busybox), "bin/busybox")
        for name in PROGRAMS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)


def ends(run: Run) -> list[EnvironmentBuilt | EnvironmentFailed]:
    return [each for _, each in run.reader().events() if isinstance(each, EnvironmentBuilt | EnvironmentFailed)]


def text(*parts: str) -> str:
    return "".join([WORKFLOW.replace("IMAGE", IMAGE), *parts])


@pytest.mark.usefixtures("podman")
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


@pytest.mark.usefixtures("podman")
def test_scripts_of_a_build_are_executed_in_the_image_and_tasks_cannot_change_what_they_leave(play: Play) -> None:
    folder = "$LONGSHORE_ENVIRONMENT/bin"
    before = f"mkdir -p {folder}; echo 'echo tool in $(ls /bin/busybox)' > {folder}/tool; chmod 755 {folder}/tool"
    task = "[tasks.use]\ncommand = 'tool; touch $LONGSHORE_ENVIRONMENT/x 2> no.txt || cat no.txt'\n"

    run = play(text(f'before = "{before}"\n', task))

    assert run.state == "succeeded", ends(run)
    printed = log_paths(run.folder, "use", 1)[0].read_text()
    assert printed.startswith("tool in /bin/busybox\n")
    assert "Read-only file system" in printed


def test_an_exit_code_comes_out_of_the_image_and_a_timeout_ends_all_in_it(play: Play, podman: Path) -> None:
    tasks = (
        '[tasks.code]\ncommand = "exit 7"\n'
        '[tasks.slow]\ncommand = "sleep 4321 & sleep 4321"\ntimeout = "2 s"\ngrace = "100 ms"\n'
    )

    run = play(text(tasks))

    outcomes = {task: [*run.reader().attempts(task)][-1] for task in ("code", "slow")}
    assert "exit code 7" in outcomes["code"].evidence
    assert str(outcomes["slow"].failure) == "timeout"
    living = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "sleep 4321" not in living
    assert not list(podman.glob("g/vfs-containers/*/userdata")), "a container is left"


@pytest.mark.usefixtures("podman")
def test_an_image_that_is_nowhere_is_named(play: Play) -> None:
    run = play(WORKFLOW.replace("IMAGE", "localhost:9/nowhere:1") + '[tasks.a]\ncommand = "true"\n')

    failed = ends(run)[0]
    assert isinstance(failed, EnvironmentFailed)
    assert failed.evidence.startswith("image: localhost:9/nowhere:1")


def test_a_container_whose_supervisor_was_killed_is_removed_by_the_next_one(project: Path, podman: Path) -> None:
    started = 'echo > here; trap "" TERM; while true; do sleep 0.2; done'
    tasks = f"[tasks.a]\ncommand = '{started}'\ngrace = \"100 ms\"\n"
    (project / "longshore.toml").write_text(text(tasks))
    loaded = load(project / "longshore.toml")

    with start(loaded.spec, loaded.folder) as run:
        machine = run.folder / "machines" / "local"
        deadline, glance = time.monotonic() + 60, Event()
        while not list(machine.glob("work/*/here")):
            assert time.monotonic() < deadline, ends(run)
            glance.wait(0.05)
        record = [json.loads(line) for line in (machine / "record").read_text().splitlines()]
        os.kill(next(each["pid"] for each in record if each["event"] == "supervisor"), signal.SIGKILL)
        run.cancel()
        run.wait(timeout=60)

    assert run.state == "cancelled"
    assert not list(podman.glob("g/vfs-containers/*/userdata")), "a container is left"
