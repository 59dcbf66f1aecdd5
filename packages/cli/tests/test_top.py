from __future__ import annotations

import subprocess

from longshore_cli.text import clean
from longshore_cli.watching import Moment

from .harness import SECONDS, Project, wait_for

BUSY = """\
name = "two"

[tasks.busy]
command = "touch {folder}/running; while ! test -e {folder}/gate; do :; done"
"""


def begin(project: Project) -> subprocess.Popen[str]:
    project.write(BUSY.format(folder=project.folder))
    process = project.begin("run", "--quiet")
    wait_for(project.folder / "running")
    return process


def end(project: Project, process: subprocess.Popen[str]) -> None:
    (project.folder / "gate").touch()
    process.communicate(timeout=SECONDS)


def test_one_moment_is_told_to_another_process(project: Project) -> None:
    run = begin(project)

    document = project.call("top", "--json").json
    lines = project.call("top").out.splitlines()

    (machine,), (attempt,) = document["machines"], document["attempts"]
    assert (attempt["task"], attempt["attempt"], attempt["machine"]) == ("busy", 1, machine["machine"])
    assert attempt["cpus"] > 0
    assert 0 < attempt["memory_bytes"] < machine["memory_bytes"] < machine["memory_total_bytes"]
    assert 0 < machine["disk_bytes"] < machine["disk_total_bytes"]
    assert machine["cores"] > 0
    assert [line.split()[0] for line in lines if line] == ["MACHINE", "local", "TASK", "busy"]
    end(project, run)


def test_a_terminal_shows_it_until_the_run_ends(project: Project) -> None:
    run = begin(project)
    terminal = project.terminal("top", rows=10, columns=60)
    clean(terminal.until(r"1 attempt running"))
    terminal.until(r"busy")

    end(project, run)

    code, shown = terminal.end()
    assert code == 0
    assert "Nobody controls run" in clean(shown)


def test_a_terminal_shows_it_until_somebody_has_seen_enough(project: Project) -> None:
    run = begin(project)
    terminal = project.terminal("top")
    terminal.until("busy")

    terminal.type("\x03")

    assert terminal.end()[0] == 0
    end(project, run)


def test_of_a_run_that_has_ended_nothing_is_running(project: Project) -> None:
    project.write('name = "one"\n[tasks.a]\ncommand = "true"\n')
    project.call("run")

    assert "has succeeded, so nothing of it is running" in project.call("top", code=None).err


def test_what_a_machine_does_not_tell_is_unknown_and_who_has_gone_is_left_out() -> None:
    moment = Moment("r")
    load = {"cpus": None, "memory": None, "disk": {"bytes": 1 << 30, "of": 1 << 31}}
    attempts = [
        {"attempt": "r/a/1", "cpus": None, "memory_bytes": 5, "written_bytes": None},
        {"attempt": "r/+sci/2", "cpus": 1.5, "memory_bytes": 5, "written_bytes": 7},
    ]
    moment.take({"machine": "m", "pool": "p", "cores": 2.0})
    moment.take({"machine": "n", "pool": "p", "cores": 2.0})
    wholes = [moment.whole]
    moment.take({"machine": "m", "pool": "p", "cores": 2.0, "load": {**load, "attempts": attempts}})
    moment.take({"machine": "n", "gone": True})

    wholes.append(moment.whole)
    assert wholes == [False, True]
    assert moment.machine_rows() == [["m", "p", "? / 2", "? / ?", "1 GiB / 2 GiB", "2"]]
    assert moment.attempt_rows() == [
        ["environment sci", "2", "m", "1.50", "5 B", "7 B"],
        ["a", "1", "m", "?", "5 B", "?"],
    ]
