"""Controllers that are gone with their machines: another computer goes on, and nothing runs twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from glob import glob
from pathlib import Path

import pytest

from longshore.runtime.history import RunReader
from longshore.testing.shelf import install_shelf
from longshore_cli.testing.away import no_controllers
from longshore_ssh.testing import Lab, Sshd

from .project import Project

pytestmark = pytest.mark.skipif(bool(no_controllers()), reason=no_controllers())

_WORKFLOW = '''
name = "taken"

[pools.desk]
executor = "ssh"
hosts = [{ host = "h1", cpus = 1 }]

[pools.lab]
executor = "ssh"
hosts = [{ host = "h2", cpus = 2 }]
STORE

[tasks.first]
command = "echo one > out.txt; mkdir d; echo two > d/x; echo x >> $HOME/first"
outputs = ["out.txt", "d/"]
pool = "lab"

[tasks.second]
command = """
echo x >> $HOME/second
while [ ! -e $HOME/go ]; do sleep 0.05; done
cat workflow:///first/out.txt > end.txt
"""
outputs = ["end.txt"]
pool = "lab"

[tasks.third]
command = "cat workflow:///second/end.txt workflow:///first/d/x > all.txt; echo x >> $HOME/third"
outputs = ["all.txt"]
pool = "lab"
'''
_TASKS = ("first", "second", "third")


def _make(folder: Path, lab: Lab, store: str) -> Project:
    """Make a project whose pools are h1, for the controller, and h2, which h1 can log in to."""
    made = Project(folder, lab, _WORKFLOW.replace("STORE", store), hosts=2)
    install_shelf(folder / "plugins", lab.folder / "shelf")
    made.variables["PYTHONPATH"] = str(folder / "plugins")
    ssh = lab.hosts[0].home / ".ssh"
    ssh.mkdir()
    for path in (lab.key, lab.known_hosts):
        shutil.copy(path, ssh)
    config = lab.ssh_config("h1", "h2").replace(str(lab.known_hosts), str(ssh / "known_hosts"))
    (ssh / "config").write_text(config.replace(str(lab.key), str(ssh / lab.key.name)))
    subprocess.run(["chown", "-R", lab.user, str(ssh)], check=True)
    return made


def _destroy(host: Sshd) -> None:
    """End all that Longshore has on a host, and the host: nothing of it is ever seen again."""
    _lose(host)
    shutil.rmtree(host.home)


def _lose(host: Sshd) -> None:
    """End all that Longshore has on a host, and the host; its disk stays."""
    host.stop()
    found = subprocess.run(["pgrep", "-f", f"^{host.home}/.cache/longshore/"], capture_output=True, check=False)
    for process in map(int, found.stdout.split()):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def test_another_computer_goes_on_from_the_copy_of_the_journal_and_a_controller_that_comes_back_stops_in_words(
    lab: Lab, tmp_path: Path
) -> None:
    project = _make(tmp_path, lab, 'store = "shelf://one/stage"')
    controller, worker = lab.hosts
    run = json.loads(project.say("run", "--on", "h1", "--json"))["run"]
    project.until(lambda: project.count(_TASKS)["second"], "the begin of the second task")
    assert "nothing to take over" in project.fail("takeover")

    seat = json.loads((project.folder / ".longshore" / "away" / f"{run}.json").read_text())
    _lose(controller)
    (worker.home / "go").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(project.folder / "longshore.toml", elsewhere)
    assert "--gone h1" in project.fail("takeover")
    told = json.loads(project.say("takeover", run, "-C", str(elsewhere), "--json"))

    assert (told["run"], told["state"]) == (run, "succeeded")
    assert project.count(_TASKS) == dict.fromkeys(_TASKS, 1)
    assert (elsewhere / "results" / run / "third" / "all.txt").read_text() == "one\ntwo\n"
    assert list((lab.folder / "shelf").rglob("*.gz")) == []

    controller.start()
    there = f"cd {seat['folder']} && {seat['python']} -I -m longshore_cli away"
    project.say("machines", "exec", "h1", "--", "sh", "-c", f"{there} wake")
    [log] = controller.home.glob(f".longshore/away/*/.longshore/seat/{run}.log")
    project.until(lambda: "another computer has taken the run over" in log.read_text(), "its end in words")
    project.until(lambda: not log.with_suffix(".json").exists(), "that nothing is started again")
    assert project.count(_TASKS) == dict.fromkeys(_TASKS, 1)


def test_the_last_copy_of_the_journal_stays_until_the_run_is_fetched(lab: Lab, tmp_path: Path) -> None:
    project = _make(tmp_path, lab, 'store = "shelf://one/stage"')
    (lab.hosts[1].home / "go").touch()
    run = json.loads(project.say("run", "--on", "h1", "--json"))["run"]
    [there] = [each.parent for each in lab.hosts[0].home.glob(f".longshore/away/*/.longshore/runs/{run}/run.db")]
    project.until(lambda: RunReader(there).info().ended, "the end of the run")

    def kept() -> list[str]:
        # Not by `Path.rglob`, which raises when a folder goes meanwhile.
        found = glob(f"{lab.folder}/shelf/**", recursive=True, include_hidden=True)
        return [Path(each).suffix for each in found if Path(each).is_file()]

    project.until(lambda: kept() == [".gz"], "the last copy alone")

    project.say("fetch", run, "--to", "got")

    assert kept() == []


def test_without_a_copy_only_what_machines_prove_is_taken_over_and_the_rest_is_named(lab: Lab, tmp_path: Path) -> None:
    project = _make(tmp_path, lab, "")
    extra = '\n[tasks.alone]\ncommand = "echo x >> $HOME/alone"\npool = "lab"\n'
    with (project.folder / "longshore.toml").open("a") as file:
        file.write(extra)
    controller, worker = lab.hosts
    run = json.loads(project.say("run", "--on", "h1", "--json"))["run"]
    [there] = [each.parent for each in controller.home.glob(f".longshore/away/*/.longshore/runs/{run}/run.db")]
    project.until(lambda: project.count(["second", "alone"]) == {"second": 1, "alone": 1}, "the tasks that can run")
    project.until(lambda: RunReader(there).info().phases.get("succeeded") == 2, "the end of two tasks")

    _destroy(controller)
    (worker.home / "go").touch()
    told = project.told("takeover", "--gone", "h1", code=1)

    assert "alone" in told
    assert "could run twice" in told
    assert project.count(["alone", *_TASKS])["alone"] == 1
