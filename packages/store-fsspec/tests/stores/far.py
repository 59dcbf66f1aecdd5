"""Hosts that share nothing with the project: with Python or without, and links that the kit makes to them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore import Run, RunOptions, load, start
from longshore.model.events import Event
from longshore.model.move_events import Moved
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.testing import FakeRemoteComputer
from longshore.testing.fake_bare import FakeBareComputer

__all__ = ["SECONDS", "Rig", "far_hosts"]

SECONDS = 120.0

_PLUGIN = """
from datetime import timedelta
from pathlib import Path

from attrs import frozen
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin import ExecutorRecord, hookimpl
from longshore.testing import FakeRemoteConfig, FakeRemoteExecutor
from longshore.testing.fake_bare import FakeBareConfig, FakeBareExecutor

@frozen(kw_only=True)
class Config:
    folder: str
    host: str
    python: bool = True

def machines(config, pool):
    tags = {"identity": f"key of {config.host}"}
    return [Machine(id=config.host, pool=pool, resources=Resources(cpus=2.0), tags=tags)]

def executor(config, context):
    if not config.python:
        return FakeBareExecutor(FakeBareConfig(folder=Path(config.folder)), context)
    settings = FakeRemoteConfig(folder=Path(config.folder), reconnect=timedelta(seconds=10))
    return FakeRemoteExecutor(settings, context)

@hookimpl
def longshore_executors():
    return [ExecutorRecord(name="far", config=Config, factory=executor, machines=machines, api=(0, 1))]
"""


class Rig:
    """A project, and two hosts that share nothing with it."""

    def __init__(self, folder: Path, *, python: bool) -> None:
        self.world = folder / "world"
        self.project = Project(folder / "project")
        self.project.folder.mkdir()
        kind = FakeRemoteComputer if python else FakeBareComputer
        self.hosts = {name: kind(self.world / name) for name in ("h1", "h2")}
        self._python = str(python).lower()
        for name, host in self.hosts.items():
            host.prepare(f"key of {name}")
        self.runs: list[str] = []

    def write(self, text: str, store: str) -> Path:
        path = self.project.folder / "longshore.toml"
        for word, value in {"WORLD": str(self.world), "STORE": store, "PYTHON": self._python}.items():
            text = text.replace(word, value)
        path.write_text(text)
        return path

    def start(self, text: str, store: str) -> Run:
        loaded = load(self.write(text, store))
        run = start(loaded.spec, loaded.folder, RunOptions())
        self.runs.append(run.id)
        return run

    def play(self, text: str, store: str) -> Run:
        with self.start(text, store) as run:
            run.wait(timeout=SECONDS)
        return run

    def moves(self, run: Run) -> list[Moved]:
        return [event for event in self.events(run) if isinstance(event, Moved)]

    def events(self, run: Run) -> list[Event]:
        return [event for _, event in RunReader(run.folder).events()]


@contextmanager
def far_hosts(folder: Path, *, python: bool = True) -> Iterator[Rig]:
    """Write a plugin for the hosts into ``plugins`` there, which has to be on the path, and prepare them."""
    plugins = folder / "plugins"
    info = plugins / "far_hosts-1.0.dist-info"
    info.mkdir(parents=True)
    (plugins / "far_hosts.py").write_text(_PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-hosts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[longshore]\nexecutor.far = far_hosts\n")
    rig = Rig(folder, python=python)
    yield rig
    for host in rig.hosts.values():
        for run in rig.runs:
            host.wait_idle(run)
    sys.modules.pop("far_hosts", None)
