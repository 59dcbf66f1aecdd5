"""Commands that speak to a run which another process controls."""

from __future__ import annotations

import re

import pytest

from .harness import SECONDS, Project, wait_for

WAITING = """\
name = "waiting"

[tasks.first]
command = "touch {folder}/running; while ! test -e {folder}/gate; do sleep 0.02; done; echo done > x.txt"
outputs = ["x.txt"]

[tasks.other]
command = "touch {folder}/other; sleep 60"

[tasks.last]
command = "cat workflow:///first/x.txt > y.txt"
outputs = ["y.txt"]
"""

MORE = """\
name = "more"

[tasks.joined]
command = "cat workflow:///first/x.txt > z.txt"
outputs = ["z.txt"]
"""


@pytest.fixture
def waiting(project: Project) -> Project:
    """A project one of whose tasks waits for the file ``gate``."""
    project.write(WAITING.format(folder=project.folder))
    return project


def test_a_running_run_shows_what_runs_and_what_waits_for_what(waiting: Project) -> None:
    running = waiting.begin("run", "-j", "2", "--only", "first", "--only", "last")
    wait_for(waiting.folder / "running")
    assert "running  first  on local" in waiting.call("status").out
    [last] = waiting.call("status", "last", "--json").json["tasks"]
    assert (last["phase"], last["waits_for"]) == ("waiting", ["first (running)"])
    first = waiting.call("status", "first").out
    assert re.search(r"workdir +\S+/first", first)
    assert re.search(r"running +for .* \(attempt 1\)", first)
    assert [task["task"] for task in waiting.call("status", "--state", "waiting", "--json").json["listed"]] == ["last"]
    (waiting.folder / "gate").touch()
    running.communicate(timeout=SECONDS)


def test_single_tasks_of_a_running_run_are_cancelled(waiting: Project) -> None:
    running = waiting.begin("run", "-j", "2", "--json")
    wait_for(waiting.folder / "running")
    wait_for(waiting.folder / "other")
    waiting.call("cancel", "other")
    (waiting.folder / "gate").touch()
    running.communicate(timeout=SECONDS)
    assert waiting.call("status", "--json").json["phases"] == {"succeeded": 2, "cancelled": 1}


def test_a_running_run_is_cancelled_and_its_end_is_waited_for(waiting: Project) -> None:
    running = waiting.begin("run", "-j", "2")
    wait_for(waiting.folder / "running")
    assert "cancelled: 3 cancelled" in waiting.call("cancel").err
    _, err = running.communicate(timeout=SECONDS)
    assert running.returncode == 1
    assert "3 cancelled" in err
    assert "has ended already: cancelled" in waiting.call("cancel").err


def test_a_run_without_a_controller_is_cancelled_too(waiting: Project) -> None:
    running = waiting.begin("run", "-j", "2")
    wait_for(waiting.folder / "other")
    running.kill()
    running.communicate(timeout=SECONDS)
    assert "nobody controls run" in waiting.call("cancel", "other", code=2).err
    waiting.call("cancel")
    assert waiting.state() == "cancelled"


def test_an_unknown_task_is_not_cancelled(waiting: Project) -> None:
    running = waiting.begin("run", "-j", "2", "--only", "last")
    wait_for(waiting.folder / "running")
    assert "did you mean first" in waiting.call("cancel", "fist", code=2).err
    (waiting.folder / "gate").touch()
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0


def test_tasks_join_a_running_run(waiting: Project) -> None:
    waiting.write(MORE, "more.toml")
    running = waiting.begin("run", "--only", "last", "--json")
    wait_for(waiting.folder / "running")
    answer = waiting.call("run", "--add", "more.toml")
    assert re.search(r"1 task joined run \S+: joined\n", answer.err)
    assert "has a task 'joined' already" in waiting.call("run", "--add", "more.toml", code=2).err
    (waiting.folder / "gate").touch()
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0
    assert [path.read_text() for path in waiting.folder.glob("results/2*/joined/z.txt")] == ["done\n"]


def test_tasks_join_an_unfinished_run_which_is_continued_for_them(waiting: Project) -> None:
    waiting.write(MORE, "more.toml")
    running = waiting.begin("run", "--only", "last")
    wait_for(waiting.folder / "running")
    running.kill()
    running.communicate(timeout=SECONDS)
    (waiting.folder / "gate").touch()
    assert waiting.call("run", "--add", "more.toml", "--json").json["phases"] == {"succeeded": 3}


def test_a_run_that_has_ended_takes_no_more_tasks(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    project.write('name = "y"\n[tasks.u]\ncommand = "true"\n', "more.toml")
    project.call("run")
    assert "no running or unfinished run" in project.call("run", "--add", "more.toml", code=2).err
    latest = project.call("runs", "--json").json["runs"][0]["id"]
    assert "has ended (succeeded)" in project.call("run", "--add", "more.toml", "--run", latest, code=2).err


def test_logs_follow_a_task_from_before_its_start_to_its_end(project: Project) -> None:
    project.write(
        'name = "x"\n[tasks.a]\ncommand = "touch {0}/running; while ! test -e {0}/gate; do sleep 0.02; done"\n'
        '[tasks.b]\nafter = ["a"]\ncommand = "echo one; touch {0}/said; while ! test -e {0}/go; do sleep 0.02; done;'
        ' echo two >&2; echo three"\n'.replace("{0}", str(project.folder))
    )
    running = project.begin("run")
    wait_for(project.folder / "running")
    follower = project.begin("logs", "-f", "b")
    (project.folder / "gate").touch()
    wait_for(project.folder / "said")
    assert follower.stdout is not None
    assert follower.stdout.readline() == "one\n"
    (project.folder / "go").touch()
    out, err = follower.communicate(timeout=SECONDS)
    assert (sorted(out.split()), err, follower.returncode) == (["three", "two"], "", 0)
    running.communicate(timeout=SECONDS)


def test_following_goes_on_with_the_next_attempt(project: Project) -> None:
    project.write(
        'name = "x"\n[tasks.a]\nretry = { attempts = 2 }\ncommand = "echo attempt $LONGSHORE_ATTEMPT; '
        'touch {0}/began; while ! test -e {0}/gate; do sleep 0.02; done; test $LONGSHORE_ATTEMPT = 2"\n'.replace(
            "{0}", str(project.folder)
        )
    )
    running = project.begin("run")
    wait_for(project.folder / "began")
    follower = project.begin("logs", "-f", "a")
    assert follower.stdout is not None
    assert follower.stdout.readline() == "attempt 1\n"
    (project.folder / "gate").touch()
    out, err = follower.communicate(timeout=SECONDS)
    assert (out, err) == ("attempt 2\n", "--- attempt 2 ---\n")
    running.communicate(timeout=SECONDS)


def test_following_ends_when_the_controller_dies(waiting: Project) -> None:
    running = waiting.begin("run", "--only", "first")
    wait_for(waiting.folder / "running")
    follower = waiting.begin("logs", "-f", "first")
    running.kill()
    running.communicate(timeout=SECONDS)
    _, err = follower.communicate(timeout=SECONDS)
    assert follower.returncode == 1
    assert "`longshore resume` continues it" in err
    (waiting.folder / "gate").touch()
    assert waiting.call("resume", "--json").json["state"] == "succeeded"
