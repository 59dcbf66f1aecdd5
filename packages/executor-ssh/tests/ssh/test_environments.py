"""Environments and secrets on hosts, by the command."""

from __future__ import annotations

import json
import os
import sqlite3
import zipfile
from pathlib import Path

from longshore.testing.containers import podman
from longshore_ssh.testing import Lab

from .project import Project

_SOFTWARE = """
name = "software"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[environments.sci]
before = "echo built >> $HOME/built; echo 'begins here'"
pip = ["--no-index", "--find-links WHEELS", "greeting"]

[tasks.say]
command = "python -c 'import greeting; print(greeting.WORD)' > said.txt; echo $VIRTUAL_ENV >> said.txt"
outputs = ["said.txt"]

[tasks.where]
call = "model:where"
"""
_MODEL = "import sys\ndef where():\n    import greeting\n    return [greeting.WORD, sys.prefix]\n"


def _wheel(folder: Path) -> None:
    info = "greeting-1.0.dist-info"
    with zipfile.ZipFile(folder / "greeting-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeting.py", "WORD = 'hello'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def _results(database: Path) -> dict[str, str]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT body FROM events WHERE kind = 'AttemptEnded'").fetchall()
    told = [json.loads(row[0]) for row in rows]
    return {each["task"]: each["result"] for each in told if "result" in each}


def test_commands_and_calls_use_what_was_built_on_their_host_and_it_stays_for_the_next_run(
    lab: Lab, tmp_path: Path
) -> None:
    wheels = lab.folder / "wheels"
    wheels.mkdir(mode=0o755)
    _wheel(wheels)
    project = Project(tmp_path, lab, _SOFTWARE.replace("WHEELS", str(wheels)), hosts=1)
    (project.folder / "model.py").write_text(_MODEL)
    [host] = lab.hosts

    project.say("run")
    project.say("run", "--no-cache")

    for said in project.folder.glob("results/2*/say/said.txt"):
        word, place = said.read_text().split()
        assert word == "hello"
        assert Path(place).is_relative_to(host.home)
    for database in project.folder.glob(".longshore/runs/*/run.db"):
        word, place = json.loads(_results(database)["where"])
        assert word == "hello"
        assert Path(place).is_relative_to(host.home)
    assert (host.home / "built").read_text() == "built\n"
    assert list(host.cache.glob("runs/*")) == [], "something of the run is left"
    logs = sorted(project.folder.glob(".longshore/runs/*/logs/+sci.1.out"))
    assert "begins here" in logs[0].read_text()
    assert "here already" in logs[1].read_text()
    [*locks] = project.folder.glob("results/2*/environments/sci.txt")
    assert ["greeting==1.0" in lock.read_text() for lock in locks] == [True, True]


_SECRET = """
name = "secret"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.look]
command = "stat -c '%a %F' key.pem > mode.txt; wc -c < key.pem >> mode.txt; pwd > $HOME/place"
outputs = ["mode.txt"]
secrets = { "key.pem" = { file = "key.pem" } }

[tasks.fail]
command = "pwd > $HOME/failed; exit 3"
secrets = { "key.pem" = { file = "key.pem" } }
"""


def test_a_secret_is_for_its_owner_alone_and_goes_with_the_attempt_however_that_ends(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _SECRET, hosts=1)
    (project.folder / "key.pem").write_text("not a real key")
    [host] = lab.hosts

    project.say("run", code=1)

    [mode] = project.folder.glob("results/2*/look/mode.txt")
    assert mode.read_text() == "600 regular file\n14\n"
    assert (host.home / "place").exists()
    assert (host.home / "failed").exists()
    left = [
        path
        for path in (*host.home.rglob("*"), *project.folder.glob(".longshore/**/*"))
        if path.is_file() and b"not a real key" in path.read_bytes()
    ]
    assert left == []


def test_an_environment_is_built_ahead_on_all_hosts_of_a_pool_and_runs_find_it(lab: Lab, tmp_path: Path) -> None:
    wheels = lab.folder / "wheels"
    wheels.mkdir(mode=0o755)
    _wheel(wheels)
    project = Project(tmp_path, lab, _SOFTWARE.replace("WHEELS", str(wheels)), hosts=2)
    (project.folder / "model.py").write_text(_MODEL)

    ahead, again = (project.told("env", "build", "sci", "--on", "lab") for _ in range(2))
    project.say("run")

    assert "lab/h1: begins here\n" in ahead
    assert ahead.count("sci is built on") == again.count("sci was there already on") == 2
    for host in lab.hosts:
        assert (host.home / "built").read_text() == "built\n", "it was built once, and the run found it"


def test_why_an_environment_cannot_be_built_ahead_is_said_for_its_host(lab: Lab, tmp_path: Path) -> None:
    project = Project(
        tmp_path, lab, _SOFTWARE.replace("echo built", "false; echo built").replace("WHEELS", "/x"), hosts=1
    )
    (project.folder / "model.py").write_text(_MODEL)

    told = project.told("env", "build", "--on", "h1", code=1)

    assert "the environment sci cannot be built on h1: before line 1: false; echo built" in told


_IMAGE = "localhost/longshore-tiny:1"
_IN_AN_IMAGE = """
name = "image"
env_file = ".env"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[environments.sci]
image = "IMAGE"
before = "cd $LONGSHORE_ENVIRONMENT; mkdir -p bin; echo 'echo built' > bin/own; chmod 755 bin/own"

[tasks.look]
command = "cat words.txt > said.txt; id -u >> said.txt; ls -A $PLACE >> said.txt; own >> said.txt"
env = { PLACE = "HOME" }
inputs = ["words.txt"]
outputs = ["said.txt"]

[tasks.code]
command = "exit 7"
"""


def test_tasks_are_executed_in_an_image_on_a_host_without_root_there(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _IN_AN_IMAGE.replace("IMAGE", _IMAGE, 1), hosts=1)
    [host] = lab.hosts
    text = (project.folder / "longshore.toml").read_text().replace('"HOME"', f'"{host.home}"')
    (project.folder / "longshore.toml").write_text(text)
    (project.folder / "words.txt").write_text("words\n")
    (host.home / "private").touch()

    with podman(_IMAGE, user="" if os.getuid() else lab.user) as engine:
        (project.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in engine.settings.items()))
        told = project.told("run", code=1)
        left = engine.containers

    assert left == []
    assert "code  user code, exit code 7" in told, told
    [said] = project.folder.glob("results/2*/look/said.txt")
    words, inside, *seen, built = said.read_text().splitlines()
    assert (words, inside, built) == ("words", "0", "built"), "who we are is root in the container, and nowhere else"
    assert seen == [".cache"], "other files of the host are seen than the workdir and what it lies in"
    [lock] = project.folder.glob("results/2*/environments/sci.image.txt")
    assert lock.read_text().startswith("localhost/longshore-tiny")
