"""A project with a pool of hosts, and what can be done to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from longshore import Run, RunOptions, load, start
from longshore.model.events import Event
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.testing import FakeRemoteComputer

__all__ = ["DIAMOND", "Rig"]

DIAMOND = """
name = "diamond"
{pool}
[tasks.a]
command = "echo one > a.txt"
[tasks.b]
command = "cat workflow:///a/a.txt > b.txt; echo b >> b.txt"
[tasks.c]
command = "cat workflow:///a/a.txt > c.txt; echo c >> c.txt"
[tasks.d]
command = "cat workflow:///b/b.txt workflow:///c/c.txt > d.txt"
outputs = ["d.txt"]
"""

_PLUGIN = """
from datetime import timedelta
from pathlib import Path

from attrs import frozen
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin import ExecutorRecord, hookimpl
from longshore.testing import FakeRemoteConfig, FakeRemoteExecutor

@frozen(kw_only=True)
class Config:
    folder: str
    hosts: str
    cpus: float = 1.0
    reconnect: float = 10.0
    shared: str = ""

def machines(config, pool):
    return [
        Machine(id=name, pool=pool, resources=Resources(cpus=config.cpus), tags={"identity": f"key of {name}"})
        for name in config.hosts.split()
    ]

def executor(config, context):
    patience = timedelta(seconds=config.reconnect)
    return FakeRemoteExecutor(FakeRemoteConfig(folder=Path(config.folder), reconnect=patience), context)

@hookimpl
def longshore_executors():
    return [ExecutorRecord(name="hosts", config=Config, factory=executor, machines=machines, api=(0, 1))]
"""

T = TypeVar("T")


class Rig:
    """One project, and hosts by their names."""

    def __init__(self, folder: Path) -> None:
        self.world = folder / "world"
        self.plugins = folder / "plugins"
        self.project = Project(folder / "project")
        self.project.folder.mkdir()
        self.hosts: dict[str, FakeRemoteComputer] = {}
        self._runs: list[str] = []
        info = self.plugins / "fake_hosts-1.0.dist-info"
        info.mkdir(parents=True)
        (self.plugins / "fake_hosts.py").write_text(_PLUGIN)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-hosts\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[longshore]\nexecutor.hosts = fake_hosts\n")

    def pool(self, *hosts: str, cpus: float = 1, reconnect: float = 10, orphan: str = "1 h", name: str = "far") -> str:
        """Switch hosts on; give the text of a pool of them."""
        for host in hosts:
            self.hosts[host] = FakeRemoteComputer(self.world / host)
            self.hosts[host].prepare(f"key of {host}")
        return (
            f'[pools.{name}]\nexecutor = "hosts"\nfolder = "{self.world}"\nhosts = "{" ".join(hosts)}"\n'
            f'cpus = {float(cpus)}\nreconnect = {float(reconnect)}\norphan = "{orphan}"\n'
        )

    def start(self, text: str, **options: object) -> Run:
        """Start a run of this workflow."""
        path = self.project.folder / "longshore.toml"
        path.write_text(text)
        loaded = load(path)
        run = start(loaded.spec, loaded.folder, RunOptions(**options))  # type: ignore[arg-type]  # test sugar
        self._runs.append(run.id)
        return run

    def play(self, text: str, **options: object) -> Run:
        """Run this workflow to its end."""
        with self.start(text, **options) as run:
            run.wait(timeout=120)
        return run

    def events(self, run: str) -> list[Event]:
        """The journal of a run."""
        return [event for _, event in RunReader(self.project.run_folder(run)).events()]

    def result(self, run: Run, path: str) -> Path:
        """Where an output has come home."""
        return self.project.results(run.id) / path

    def until(self, look: Callable[[], T | None], what: str, seconds: float = 30) -> T:
        """Wait until something can be seen."""
        deadline = time.monotonic() + seconds
        glance = threading.Event()
        while not (found := look()):
            assert time.monotonic() < deadline, f"{what} did not happen"
            glance.wait(0.01)
        return found

    def end(self) -> None:
        """Leave nothing running."""
        for host in self.hosts.values():
            host.mend()
            for run in self._runs:
                host.wait_idle(run)
