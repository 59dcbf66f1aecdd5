"""Runs whose controllers are on a host: begun, and left; asked about from here, and from other computers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from longshore.runtime.history import RunReader
from longshore_cli.testing.away import no_controllers
from longshore_ssh.testing import Lab

from .project import SECONDS, Project

_FAKED = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))

pytestmark = pytest.mark.skipif(bool(no_controllers()), reason=no_controllers())

_WORKFLOW = '''
name = "away"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.first]
command = "cat data/in.txt > out.txt; echo 'it says' $(cat out.txt); echo x >> $HOME/first"
inputs = ["data/in.txt"]
outputs = ["out.txt"]
pool = "local"

[tasks.second]
command = """
echo waiting; while [ ! -e $HOME/go ]; do sleep 0.05; done
cat workflow:///first/out.txt > end.txt; echo x >> $HOME/second
"""
outputs = ["end.txt"]
pool = "local"
'''


@pytest.fixture
def project(lab: Lab, tmp_path: Path) -> Project:
    made = Project(tmp_path, lab, _WORKFLOW, hosts=1)
    (made.folder / "data").mkdir()
    (made.folder / "data" / "in.txt").write_text("hello\n")
    return made


_CRONTAB = """#!/bin/sh
case $1 in
-l) cat "$HOME/crontab" 2>/dev/null || { echo "no crontab for you" >&2; exit 1; } ;;
-) cat > "$HOME/crontab.new" && mv "$HOME/crontab.new" "$HOME/crontab" ;;
esac
"""


def _programs(folder: Path) -> Path:
    """Fill a folder with this computer's programs, and a table of cron's for each home."""
    folder.mkdir(mode=0o755)
    for place in (Path("/usr/bin"), Path("/bin")):
        for program in place.iterdir():
            if program.name not in {"crontab", "systemctl"} and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    (folder / "crontab").write_text(_CRONTAB)
    (folder / "crontab").chmod(0o755)
    return folder


def _runs_there(project: Project) -> list[Path]:
    [host] = project.lab.hosts
    return [each.parent for each in host.home.glob(".longshore/away/*/.longshore/runs/*/run.db")]


def _let_go(project: Project) -> None:
    [host] = project.lab.hosts
    (host.home / "go").touch()


def _state(project: Project) -> str:
    [run] = _runs_there(project)
    return RunReader(run).info().state


def _until_over(project: Project) -> None:
    project.until(lambda: RunReader(_runs_there(project)[0]).info().ended, "the end of the run")


def test_a_run_goes_on_without_us_is_asked_about_from_here_and_its_results_are_fetched(project: Project) -> None:
    begun = json.loads(project.say("run", "--on", "h1", "--json"))

    assert begun["machine"] == "h1"
    project.until(lambda: "it says hello" in project.say("logs", "first"), "the end of the first task")
    status = json.loads(project.say("status", "--json"))
    assert (status["run"], status["state"]) == (begun["run"], "running")
    assert project.fail("fetch", "--to", "got").count("--now") == 1
    project.say("fetch", "first", "--to", "got")
    assert (project.folder / "got" / "first" / "out.txt").read_text() == "hello\n"

    _let_go(project)
    _until_over(project)
    project.say("fetch", begun["run"], "--to", "got")
    assert (project.folder / "got" / "second" / "end.txt").read_text() == "hello\n"
    assert project.count(["first", "second"]) == {"first": 1, "second": 1}

    # From now on it is a run of this folder like any other.
    project.lab.hosts[0].stop()
    assert json.loads(project.say("status", "--json"))["state"] == "succeeded"
    assert "it says hello" in project.say("logs", "first")
    assert "second" in project.say("explain", "second")


@pytest.mark.skipif(not _FAKED, reason="libfaketime is not installed")
def test_a_laptop_that_is_closed_changes_nothing_though_its_link_was_cut_and_its_clock_has_jumped(
    project: Project,
) -> None:
    [host] = project.lab.hosts
    begun = json.loads(project.say("run", "--on", "h1", "--json"))
    watched = project.begin("logs", "-f", "second")
    project.until(lambda: "waiting" in (project.folder / "said").read_text(), "the log of the second task")

    host.stop()  # the lid is closed
    assert watched.wait(SECONDS)
    assert "nothing about it is known here" in project.fail("status")
    _let_go(project)
    _until_over(project)
    host.start()
    # The next morning; and one of those clocks that were never right.
    for jump in ("+26h", "-9y"):
        project.variables |= {"LD_PRELOAD": str(_FAKED[0]), "FAKETIME": jump, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        status = json.loads(project.say("status", "--json"))
        assert (status["run"], status["state"]) == (begun["run"], "succeeded")
        assert "it says hello" in project.say("logs", "first")
    project.say("fetch", "--to", "got")

    assert (project.folder / "got" / "second" / "end.txt").read_text() == "hello\n"
    assert project.count(["first", "second"]) == {"first": 1, "second": 1}
    assert json.loads(project.say("status", "--json"))["run"] == begun["run"]
    assert "Traceback" not in (project.folder / "said").read_text()


def test_what_is_handed_over_reaches_the_controller_and_stays_nowhere_when_the_run_is_over(
    project: Project,
) -> None:
    project.variables["CLOUD_TOKEN"] = "dop_v1_hush"
    [host] = project.lab.hosts
    project.say("run", "--on", "h1", "--hand-over", "CLOUD_TOKEN")
    [run] = _runs_there(project)
    holder = json.loads((run / "controller").read_text())
    assert b"CLOUD_TOKEN=dop_v1_hush" in Path(f"/proc/{holder['pid']}/environ").read_bytes().split(b"\0")

    _let_go(project)
    _until_over(project)
    project.say("fetch", "--to", "got")  # waits until the keeper has left

    for folder in (host.home, project.folder):
        found = subprocess.run(["grep", "-rl", "dop_v1_hush", str(folder)], capture_output=True, text=True, check=False)
        assert found.stdout == ""
    assert "OTHER" in project.fail("run", "--on", "h1", "--hand-over", "OTHER")


def test_a_controller_that_dies_is_started_again_and_nothing_runs_twice(project: Project) -> None:
    project.say("run", "--on", "h1")
    [run] = _runs_there(project)
    project.until(lambda: project.count(["first"])["first"] == 1, "the end of the first task")
    holder = json.loads((run / "controller").read_text())

    os.kill(holder["pid"], signal.SIGKILL)

    _let_go(project)
    _until_over(project)
    assert json.loads((run / "controller").read_text())["fence"] > holder["fence"]
    assert project.count(["first", "second"]) == {"first": 1, "second": 1}


def test_a_run_goes_on_after_its_machine_has_been_started_anew(lab: Lab, tmp_path: Path) -> None:
    made = Project(tmp_path, lab, _WORKFLOW, hosts=1, path=_programs(lab.folder / "programs"))
    (made.folder / "data").mkdir()
    (made.folder / "data" / "in.txt").write_text("hello\n")
    made.say("run", "--on", "h1")
    made.until(lambda: made.count(["first"])["first"] == 1, "the end of the first task")
    [host] = lab.hosts
    [_, line] = (host.home / "crontab").read_text().splitlines()
    when, _, command = line.partition(" ")
    assert when == "@reboot"

    ours = subprocess.run(["pgrep", "-f", f"^{host.home}/.cache/longshore/"], capture_output=True, check=True)
    for process in map(int, ours.stdout.split()):
        os.kill(process, signal.SIGKILL)
    made.say("machines", "exec", "h1", "--", "sh", "-c", command)

    _let_go(made)
    _until_over(made)
    assert made.count(["first", "second"])["first"] == 1
    made.until(lambda: not (host.home / "crontab").read_text(), "the end of what is done at each start")


def test_another_computer_finds_the_run_and_ends_it(project: Project, tmp_path: Path) -> None:
    begun = json.loads(project.say("run", "--on", "h1", "--json"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "longshore.toml").write_text((project.folder / "longshore.toml").read_text())

    found = json.loads(project.say("attach", "h1", "-C", str(elsewhere), "--json"))
    assert [(each["run"], each["over"]) for each in found["runs"]] == [(begun["run"], False)]
    assert [(each["state"], sum(each["phases"].values())) for each in found["runs"]] == [("running", 2)]
    project.say("cancel", "-C", str(elsewhere))

    _until_over(project)
    assert _state(project) == "cancelled"
    assert json.loads(project.say("status", "--json"))["state"] == "cancelled"


def test_while_it_goes_on_it_is_reported_exported_added_to_and_explained_from_here(project: Project) -> None:
    run = json.loads(project.say("run", "--on", "h1", "--json"))["run"]
    project.until(lambda: project.count(["first"])["first"], "the end of the first task")
    more = project.folder / "more.toml"
    (project.folder / "extra.txt").write_text("extra\n")
    more.write_text(
        'name = "away"\n[tasks.added]\ncommand = "cat extra.txt > got.txt"\ninputs = ["extra.txt"]\n'
        'outputs = ["got.txt"]\npool = "local"\n'
    )

    figures = json.loads(project.say("report", "--text", "--json"))["runs"]
    assert [(each["run"], each["state"]) for each in figures] == [(run, "running")]
    assert "first" in project.say("export", "mermaid")
    assert json.loads(project.say("run", "--add", "more.toml", "--json")) == {"run": run, "added": ["added"]}
    assert "second" in project.say("explain", "second")

    _let_go(project)
    _until_over(project)
    project.say("fetch", "--to", "got")
    assert (project.folder / "got" / "added" / "got.txt").read_text() == "extra\n"


def test_of_two_that_cancel_and_retry_at_once_both_cancel_one_retries_and_nothing_runs_twice(project: Project) -> None:
    project.say("run", "--on", "h1")
    project.until(lambda: project.count(["first"])["first"], "the end of the first task")

    both = [project.begin("cancel"), project.begin("cancel")]
    assert [each.wait(SECONDS) for each in both] == [0, 0]
    assert json.loads(project.say("status", "--json"))["state"] == "cancelled"
    both = [project.begin("resume", "--retry"), project.begin("resume", "--retry")]
    assert sorted(each.wait(SECONDS) for each in both) == [0, 2]
    assert "is running already" in (project.folder / "said").read_text()

    _let_go(project)
    project.until(lambda: _state(project) == "succeeded", "the end of the run")
    assert project.count(["first", "second"]) == {"first": 1, "second": 1}
    assert "Traceback" not in (project.folder / "said").read_text()


def test_what_only_this_computer_has_is_refused_before_anything_is_done(project: Project) -> None:
    file = project.folder / "longshore.toml"
    file.write_text(
        file.read_text().replace(
            'inputs = ["data/in.txt"]', 'inputs = ["data/in.txt"]\nsecrets = { key = { variable = "KEY" } }'
        )
    )

    said = project.fail("run", "--on", "h1")

    assert "tasks.first.secrets.key" in said
    assert "KEY" in said
    assert not _runs_there(project)
