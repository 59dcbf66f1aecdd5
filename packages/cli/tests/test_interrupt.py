from __future__ import annotations

import re
import signal

import pytest

from .harness import SECONDS, Project, wait_for

SLOW = """\
name = "slow"

[tasks.first]
command = "touch {folder}/running; while ! test -e {folder}/gate; do sleep 0.02; done; echo x >> {folder}/count"

[tasks.second]
after = ["first"]
command = "echo x >> {folder}/count"
"""


@pytest.fixture
def slow(project: Project) -> Project:
    """A project whose first task waits for the file ``gate``, and whose tasks each add a line to ``count``."""
    project.write(SLOW.format(folder=project.folder))
    return project


@pytest.fixture
def killed(slow: Project) -> Project:
    """The same, left by a controller that was killed in the first task; the gate is open now."""
    running = slow.begin("run")
    wait_for(slow.folder / "running")
    running.kill()
    running.communicate(timeout=SECONDS)
    (slow.folder / "gate").touch()
    return slow


def test_the_first_ctrl_c_starts_nothing_more_and_the_run_can_be_resumed(slow: Project) -> None:
    terminal = slow.terminal("run")
    wait_for(slow.folder / "running")
    terminal.type("\x03")
    terminal.until(r"Stopping: nothing more is started; 1 task may end\. Ctrl-C again cancels")
    (slow.folder / "gate").touch()
    code, shown = terminal.end()
    assert code == 130
    assert "interrupted" in shown
    assert "continue: `longshore resume" in shown
    assert (slow.folder / "count").read_text() == "x\n"
    assert slow.call("resume", "--json").json["phases"] == {"succeeded": 2}
    assert (slow.folder / "count").read_text() == "x\nx\n"


def test_the_second_ctrl_c_cancels(slow: Project) -> None:
    terminal = slow.terminal("run")
    wait_for(slow.folder / "running")
    terminal.type("\x03")
    terminal.until("Stopping")
    terminal.type("\x03")
    terminal.until("Cancelling")
    code, shown = terminal.end()
    assert code == 130
    assert "2 cancelled" in shown
    assert slow.state() == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_after_sigterm_what_runs_lives_on_and_is_not_run_twice(slow: Project, number: signal.Signals) -> None:
    running = slow.begin("run")
    wait_for(slow.folder / "running")
    running.send_signal(number)
    _, err = running.communicate(timeout=SECONDS)
    assert running.returncode == 130
    assert re.search(r"What runs lives on without us; `longshore resume \S+` continues the run", err)
    assert slow.state() == "unfinished"
    (slow.folder / "gate").touch()
    assert slow.call("resume", "--json").json["phases"] == {"succeeded": 2}
    assert (slow.folder / "count").read_text() == "x\nx\n"


def test_run_finds_the_unfinished_run_says_so_and_continues_it(killed: Project) -> None:
    answer = killed.call("run")
    assert "is unfinished and is continued" in answer.err
    assert (killed.folder / "count").read_text() == "x\nx\n"
    assert len(killed.call("runs", "--json").json["runs"]) == 1


def test_new_begins_another_run_beside_an_unfinished_one(killed: Project) -> None:
    assert killed.call("run", "--new", "--json").json["phases"] == {"succeeded": 2}
    assert [run["state"] for run in killed.call("runs", "--json").json["runs"]] == ["succeeded", "unfinished"]


def test_a_changed_workflow_is_neither_continued_nor_begun_unasked(killed: Project) -> None:
    killed.write(SLOW.format(folder=killed.folder) + '[tasks.third]\ncommand = "true"\n')
    answer = killed.call("run", code=2)
    assert "third is new" in answer.err
    assert "--continue continues that run as it began, --new begins another" in answer.err
    assert killed.call("run", "--continue", "--json").json["phases"] == {"succeeded": 2}


def test_on_a_terminal_a_changed_workflow_is_asked_about(killed: Project) -> None:
    killed.write(SLOW.format(folder=killed.folder).replace("echo x >>", "echo y >>", 1))
    terminal = killed.terminal("run")
    terminal.until(r"first is different")
    terminal.until(r"continue that run as it began, or begin a new one\?.*: ")
    terminal.type("new\n")
    code, shown = terminal.end()
    assert code == 0
    assert "2 succeeded" in shown


def test_a_run_that_is_running_is_not_begun_twice(slow: Project) -> None:
    running = slow.begin("run")
    wait_for(slow.folder / "running")
    refused = slow.call("run", code=2)
    assert f"is running (process {running.pid} on" in refused.err
    locked = slow.call("resume", code=2)
    assert f"is controlled by process {running.pid}" in locked.err
    (slow.folder / "gate").touch()
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0


def test_failed_tasks_get_another_chance_by_resume_retry(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "test -e {0}/gate"\n'.replace("{0}", str(project.folder)))
    project.call("run", code=1)
    (project.folder / "gate").touch()
    assert project.call("resume", "--retry", "--json").json["phases"] == {"succeeded": 1}


def test_a_run_that_has_succeeded_has_nothing_to_resume(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    project.call("run")
    assert project.call("resume", "--json").json["state"] == "succeeded"
