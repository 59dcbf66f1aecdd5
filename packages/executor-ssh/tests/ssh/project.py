"""Projects on hosts, as whoever uses the command has them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from longshore.errors import JournalError
from longshore.runtime.history import RunReader
from longshore_ssh.testing import Lab

__all__ = ["DIAMOND", "Project", "until"]

SECONDS = 300.0
T = TypeVar("T")

DIAMOND = """
name = "diamond"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]

[tasks.A]
command = "echo 'hello from A' > a.txt; echo x >> $HOME/A"
outputs = ["a.txt"]

[tasks.B]
command = "tr a-z A-Z < workflow:///A/a.txt > b.txt; echo x >> $HOME/B; sleep 0.5"
outputs = ["b.txt"]

[tasks.C]
command = "cp workflow:///A/a.txt c.txt; echo x >> $HOME/C; sleep 0.5"
outputs = ["c.txt"]

[tasks.D]
command = "cat workflow:///B/b.txt workflow:///C/c.txt > d.txt; echo x >> $HOME/D"
outputs = ["d.txt"]
"""


def until(look: Callable[[], T | None], lament: Callable[[], str] = str) -> T:
    """Wait until something can be seen."""
    deadline = time.monotonic() + SECONDS
    glance = threading.Event()
    while not (found := look()):
        assert time.monotonic() < deadline, lament()
        glance.wait(0.02)
    return found


class Project:
    """A workflow file on some hosts, and a user whose ``~/.ssh/config`` knows them."""

    def __init__(
        self,
        folder: Path,
        lab: Lab,
        text: str,
        *,
        hosts: int = 4,
        path: Path | None = None,
        metered: bool = False,
        island: bool = False,
    ) -> None:
        self.folder = folder / "project"
        self.home = folder / "home"
        self.folder.mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        names = [f"h{number}" for number in range(1, hosts + 1)]
        for _ in names:
            lab.host(path=path, island=island)
        self.lab = lab
        self.variables: dict[str, str] = {}
        """What the user has set besides."""
        self.meters = [lab.meter(host) for host in lab.hosts] if metered else []
        (self.home / ".ssh" / "config").write_text(lab.ssh_config(*names))
        tables = ", ".join(f'{{ host = "{name}", cpus = 1 }}' for name in names)
        (self.folder / "longshore.toml").write_text(text.replace("{hosts}", tables))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "longshore_cli", *words]

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"} | self.variables

    def say(self, *words: str, code: int = 0) -> str:
        done = self.call(*words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def told(self, *words: str, code: int = 0) -> str:
        """Give what a command writes to stderr."""
        done = self.call(*words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr

    def fail(self, *words: str) -> str:
        """Give what is said when it fails."""
        done = self.call(*words)
        assert done.returncode, done.stdout
        return done.stderr

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give all that becomes of a command."""
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Start the command, and do not wait for its end."""
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                self.command(*words), cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )

    def ends_well(self, controller: subprocess.Popen[bytes]) -> None:
        """Wait for the end of what was started."""
        code = controller.wait(SECONDS)
        assert code == 0, (self.folder / "said").read_text()

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait until something can be seen."""
        return until(look, lambda: f"{what} did not happen: {(self.folder / 'said').read_text()}")

    def events(self, kind: type[T]) -> list[T]:
        """List the events of one kind of the only run; none when there is no run yet."""
        runs = [RunReader(db.parent) for db in self.folder.glob(".longshore/runs/*/run.db")]
        with contextlib.suppress(JournalError):  # it is being made
            return [event for run in runs for _, event in run.events(kind=kind.__name__) if isinstance(event, kind)]
        return []

    def count(self, names: Sequence[str]) -> dict[str, int]:
        """Say how often each task has been executed, on all hosts together."""
        files = {name: [host.home / name for host in self.lab.hosts] for name in names}
        return {name: sum(f.read_text().count("x") for f in found if f.exists()) for name, found in files.items()}

    def users_of(self, name: str) -> list[str]:
        return [host.address for host in self.lab.hosts if (host.home / name).exists()]
