"""One command on all hosts of a pool: each line says whose it is, and a host that is down holds up no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore_ssh.testing import Lab

from .project import Project

_POOL = """
name = "everywhere"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[pools.here]
executor = "local"
"""


@pytest.fixture
def project(lab: Lab, tmp_path: Path) -> Project:
    return Project(tmp_path, lab, _POOL, hosts=3)


def test_a_command_is_executed_on_all_hosts_and_each_line_says_whose_it_is(project: Project) -> None:
    done = project.call(
        "exec", "--all", "lab", "--", "sh", "-c", 'echo "one $1"; echo two; echo "no" >&2', "-", "a  b'$"
    )

    assert done.returncode == 0, done.stderr
    for host in ("h1", "h2", "h3"):
        assert [line for line in done.stdout.splitlines() if line.startswith(f"{host}  ")] == [
            f"{host}  one a  b'$",
            f"{host}  two",
        ]
    assert len(done.stdout.splitlines()) == 6
    assert sorted(done.stderr.splitlines()) == ["h1  no", "h2  no", "h3  no"]


def test_a_host_that_is_down_is_told_and_the_others_do_their_work(project: Project) -> None:
    project.lab.hosts[1].stop()

    done = project.call("exec", "--all", "lab", "--", "echo", "here")

    assert done.returncode == 1
    assert sorted(done.stdout.splitlines()) == ["h1  here", "h3  here"]
    [told] = done.stderr.splitlines()
    assert told.startswith("longshore: h2: ")
    assert "Traceback" not in told


def test_the_exit_code_is_the_highest_and_each_is_told(project: Project) -> None:
    (project.lab.hosts[0].home / "code").write_text("3")
    (project.lab.hosts[2].home / "code").write_text("42")

    done = project.call("exec", "-a", "lab", "--", "sh", "-c", "exit $(cat code 2>&- || echo 0)")

    assert (done.returncode, done.stdout) == (42, "")
    assert sorted(done.stderr.splitlines()) == ["longshore: h1: exit code 3", "longshore: h3: exit code 42"]


def test_what_hosts_write_steers_no_terminal_and_pretends_to_be_no_other_host(project: Project) -> None:
    done = project.call(
        "exec", "--all", "lab", "--", "printf", r"a\033[31mb\033]0;title\007c\rd\377\n\nno end of a line"
    )

    assert done.returncode == 0, done.stderr
    of_one = ["abc", "d\N{REPLACEMENT CHARACTER}", "", "no end of a line"]
    assert sorted(done.stdout.splitlines()) == sorted(
        f"{host}  {line}" for host in ("h1", "h2", "h3") for line in of_one
    )


def test_a_pool_that_is_not_there_or_lets_nobody_in_is_named(project: Project) -> None:
    misspelt = project.call("exec", "--all", "lob", "--", "true")
    here = project.call("exec", "--all", "here", "--", "true")

    assert (misspelt.returncode, here.returncode) == (2, 2)
    assert "did you mean lab" in misspelt.stderr
    assert "here: the executor of this pool lets nobody log in by hand" in here.stderr
