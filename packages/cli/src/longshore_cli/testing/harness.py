"""The real command, as its users start it: in a process of its own, and on a terminal of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

COMMAND = [sys.executable, "-m", "longshore_cli"]
SECONDS = 300.0
"""No wait in a test is longer; a slow machine needs some of it."""


@frozen
class Answer:
    """What one call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@frozen
class Project:
    """A folder with a workflow, and an environment in which nothing of the user's own is touched."""

    folder: Path
    env: dict[str, str]

    def write(self, text: str, name: str = "longshore.toml") -> Path:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, *words: str, code: int | None = 0, cwd: Path | None = None, stdin: str = "") -> Answer:
        """Call the command and wait; ``code`` is what it must exit with, None for anything."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=cwd or self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{words} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Call the command and do not wait."""
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *words: str, rows: int = 30, columns: int = 100) -> Terminal:
        """Call the command on a terminal."""
        return Terminal([*COMMAND, *words], self.folder, self.env | {"TERM": "xterm-256color"}, rows, columns)

    def state(self) -> str:
        """Say how the latest run stands."""
        return str(self.call("status", "--json").json["state"])


@contextmanager
def new_project(parent: Path) -> Iterator[Project]:
    """Make an empty project; what its runs leave behind is ended with it."""
    mark = f"LONGSHORE_TEST_MARK={uuid.uuid4().hex}"
    home, folder = parent / "home", parent / "project"
    home.mkdir()
    folder.mkdir()
    key, _, value = mark.partition("=")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        key: value,
    }
    yield Project(folder, env)
    end_marked(mark)


class Terminal:
    """A process on a pseudo-terminal: type, and look for what it shows."""

    def __init__(self, words: Sequence[str], folder: Path, env: dict[str, str], rows: int, columns: int) -> None:
        self._main, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            words,
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            close_fds=True,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  no thread of a test has begun yet
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        r"""Press keys; "\x03" is Ctrl-C."""
        os.write(self._main, text.encode())

    def until(self, pattern: str) -> str:
        """Read until this has been shown, counted from the last match; give all up to its end."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.shown)) is None:
            assert self._read(deadline), f"{pattern!r} was not shown, but\n{self.shown}"
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    def end(self) -> tuple[int, str]:
        """Read all that is still shown until the process has ended; give its exit code, too."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        os.close(self._main)
        return self.process.wait(timeout=SECONDS), self.shown

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._main], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more was shown after\n{self.shown}"
        try:
            data = os.read(self._main, 65536)
        except OSError:  # EIO: the last process has closed the terminal
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def wait_for(path: Path) -> None:
    """Wait until a file is there, as a task writes it."""
    wait_until(path.exists, f"{path} was never written")


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until something holds; with these words if it never does."""
    deadline = time.monotonic() + SECONDS
    with select.epoll() as nothing:
        while not holds():
            assert time.monotonic() < deadline, otherwise
            nothing.poll(0.02)


def end_clouds(folder: Path) -> None:
    """End all sandboxes in a folder, with their machines. They have no mark, since a cloud is not its user's child."""
    for books in folder.rglob("cloud.db"):
        # By name: the command's kit knows no plugin, and these tests have made the cloud.
        cloud = import_module("longshore_sandbox").CloudClient(books.parent)
        if (cloud.folder / "door").exists() or any(cloud.folder.glob("machines/*")):
            cloud.reset()
            cloud.shut_down()


def end_marked(mark: str) -> None:
    """End whatever a test has left behind: the processes whose environment has its mark."""
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in entry.read_bytes().split(b"\0"):
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except OSError:
            continue
