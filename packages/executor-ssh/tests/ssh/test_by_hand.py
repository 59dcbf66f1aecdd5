"""Work by hand on a host, by the command: what is typed arrives as it is, and what comes back does no harm."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from longshore_ssh.testing import SECONDS, Lab, Sshd


class Desk:
    """A project that names one host, ``h1``."""

    def __init__(self, lab: Lab, folder: Path, path: Path | None) -> None:
        self.host: Sshd = lab.host(path=path)
        self.folder = folder / "project"
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True)
        self.folder.mkdir()
        (home / ".ssh" / "config").write_text(lab.ssh_config("h1"))
        (self.folder / "longshore.toml").write_text('name = "x"\n[pools.lab]\nexecutor = "ssh"\nhosts = ["h1"]\n')
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
        }

    def command(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "longshore_cli", "machines", *words]

    def call(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(words),
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )

    def sit(self, *words: str, typed: bytes = b"") -> tuple[int, bytes]:
        """Call it at a terminal; give its exit code, and what the terminal was sent."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            self.command(words), cwd=self.folder, env=self.env, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            os.write(ours, typed)
            seen = b""
            try:
                while select.select([ours], [], [], SECONDS)[0] and (data := os.read(ours, 1 << 16)):
                    seen += data
            except OSError:
                pass  # so a terminal says that nobody has it open any more
            os.close(ours)  # hangs up on one that goes on
            return process.wait(SECONDS), seen


@pytest.fixture
def desk(lab: Lab, tmp_path: Path) -> Desk:
    return Desk(lab, tmp_path, None)


@pytest.fixture(params=["with Python", "without"])
def any_desk(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path, no_python: Path) -> Desk:
    """What moves files must do so on any host."""
    return Desk(lab, tmp_path, no_python if request.param == "without" else None)


def test_a_command_gets_its_words_and_its_input_as_they_are_and_its_exit_code_is_passed_on(desk: Desk) -> None:
    odd = "größe '\"$(id)` \\ !x\n;%s \\0101"

    done = desk.call(
        "exec", "h1", "--", "sh", "-c", 'printf "%s|" "$@"; cat; echo no >&2; exit 7', "sh", odd, "", stdin=b"\0in\xff"
    )

    assert (done.returncode, done.stdout, done.stderr) == (7, odd.encode() + b"||\0in\xff", b"no\n")


def test_output_is_bytes_in_a_pipe_and_harmless_on_a_terminal(desk: Desk) -> None:
    words = ("exec", "lab/h1", "--", "printf", r"a\033[31mb\033]0;title\007c\n")

    assert desk.call(*words).stdout == b"a\x1b[31mb\x1b]0;title\x07c\n"
    code, seen = desk.sit(*words)
    assert (code, seen.rpartition(b"\x1b[K")[2]) == (0, b"abc\r\n")


def test_a_machine_that_nobody_knows_is_no_machine(desk: Desk) -> None:
    done = desk.call("exec", "h9", "--", "true")

    assert done.returncode == 2
    assert b"there is no machine 'h9'" in done.stderr


def test_a_command_whose_link_breaks_is_told_so(desk: Desk) -> None:
    done = desk.call("exec", "h1", "--", "sh", "-c", "kill -9 $PPID; sleep 5")

    assert done.returncode == 1
    assert b"hung up" in done.stderr


def test_a_shell_is_a_terminal_there_and_ends_with_its_exit_code(desk: Desk) -> None:
    code, seen = desk.sit("ssh", "h1", typed=b"test -t 0 && echo it-is-$((40+2)); exit 5\n")

    assert code == 5
    assert b"it-is-42" in seen


def test_without_a_terminal_there_is_no_shell(desk: Desk) -> None:
    assert desk.call("ssh", "h1").returncode == 2


def test_files_and_folders_go_there_and_come_back_as_they_were(any_desk: Desk) -> None:
    desk = any_desk
    tree = desk.folder / "tree '$(x)\n ü"
    (tree / "deep" / "empty").mkdir(parents=True)
    (tree / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (tree / "deep" / "run.sh").chmod(0o755)
    (tree / "link").symlink_to("deep/run.sh")
    (desk.folder / "big").write_bytes(os.urandom(3 << 20))
    (desk.host.home / "work").mkdir(mode=0o777)
    (desk.host.home / "work").chmod(0o777)

    put = desk.call("put", "h1", tree.name, "big", str(desk.host.home / "work"))
    assert (put.returncode, put.stderr) == (0, b"")
    (desk.folder / "back").mkdir()
    got = desk.call("get", "h1", f"{desk.host.home}/work/{tree.name}", f"{desk.host.home}/work/big", "back")

    assert (got.returncode, got.stderr) == (0, b"")
    back = desk.folder / "back" / tree.name
    assert sorted(path.relative_to(back) for path in back.rglob("*")) == sorted(
        path.relative_to(tree) for path in tree.rglob("*")
    )
    assert os.access(back / "deep" / "run.sh", os.X_OK)
    assert os.readlink(back / "link") == "deep/run.sh"
    assert (desk.folder / "back" / "big").read_bytes() == (desk.folder / "big").read_bytes()
    assert not list((desk.host.home / "work").glob(".longshore*")), "something is left there"
    assert not list((desk.folder / "back").glob(".longshore*")), "something is left here"


def test_a_file_may_get_another_name_and_replaces_files_but_no_folder(desk: Desk) -> None:
    home = desk.host.home
    (desk.folder / "new").write_text("new")
    (desk.folder / "sub").mkdir()

    for _ in range(2):
        assert desk.call("put", "h1", "new", f"{home}/name").returncode == 0
        assert desk.call("get", "h1", f"{home}/name", "here").returncode == 0
    assert (desk.folder / "here").read_text() == "new"

    assert desk.call("put", "h1", "sub", f"{home}/sub").returncode == 0
    again = desk.call("put", "h1", "sub", str(home))
    assert (again.returncode, b"is not replaced" in again.stderr) == (1, True)


def test_what_is_not_there_is_named(desk: Desk) -> None:
    gone = desk.call("get", "h1", "no-such-file", ".")
    assert (gone.returncode, b"there is no ./no-such-file there" in gone.stderr) == (1, True)

    (desk.folder / "file").write_text("x")
    nowhere = desk.call("put", "h1", "file", "no/such/folder/file")
    assert (nowhere.returncode, b"is no folder there" in nowhere.stderr) == (1, True)


def test_a_link_that_leads_out_of_what_is_brought_is_not_followed(desk: Desk) -> None:
    evil = desk.host.home / "evil"
    evil.mkdir()
    (evil / "out").symlink_to("/etc/passwd")

    done = desk.call("get", "h1", str(evil), ".")

    assert (done.returncode, b"is not written here" in done.stderr) == (1, True)
    assert not (desk.folder / "evil").exists()
