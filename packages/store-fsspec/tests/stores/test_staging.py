"""Pools that keep what their machines write in a bucket: who sends what, and what is left of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore import Run, RunOptions, load, start
from longshore.model.events import Event
from longshore.model.move_events import Moved
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.testing import FakeRemoteComputer

SECONDS = 60.0
MIB = 1 << 20

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
    host: str

def machines(config, pool):
    tags = {"identity": f"key of {config.host}"}
    return [Machine(id=config.host, pool=pool, resources=Resources(cpus=2.0), tags=tags)]

def executor(config, context):
    settings = FakeRemoteConfig(folder=Path(config.folder), reconnect=timedelta(seconds=10))
    return FakeRemoteExecutor(settings, context)

@hookimpl
def longshore_executors():
    return [ExecutorRecord(name="far", config=Config, factory=executor, machines=machines, api=(0, 1))]
"""

_PASS_ON = """
name = "pass-on"

[pools.one]
executor = "far"
folder = "WORLD"
host = "h1"
store = "STORE"

[pools.two]
executor = "far"
folder = "WORLD"
host = "h2"
store = "STORE"

[tasks.make]
command = "head -c 200000 /dev/urandom > made; mkdir -p d/e; cp made d/e/x; echo y > d/y"
outputs = ["made", "d/"]
pool = "one"

[tasks.use]
command = "cat workflow:///make/made | cmp - workflow:///make/d/e/x && cat workflow:///make/d/y > y"
outputs = ["y"]
pool = "two"
"""


class Rig:
    """A project, and two hosts that share nothing with it."""

    def __init__(self, folder: Path) -> None:
        self.world = folder / "world"
        self.project = Project(folder / "project")
        self.project.folder.mkdir()
        self.hosts = {name: FakeRemoteComputer(self.world / name) for name in ("h1", "h2")}
        for name, host in self.hosts.items():
            host.prepare(f"key of {name}")
        self.runs: list[str] = []

    def start(self, text: str, store: str) -> Run:
        path = self.project.folder / "longshore.toml"
        path.write_text(text.replace("WORLD", str(self.world)).replace("STORE", store))
        loaded = load(path)
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


@pytest.fixture
def rig(tmp_path: Path, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    assert cloud is not None
    plugins = tmp_path / "plugins"
    info = plugins / "far_hosts-1.0.dist-info"
    info.mkdir(parents=True)
    (plugins / "far_hosts.py").write_text(_PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-hosts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[longshore]\nexecutor.far = far_hosts\n")
    monkeypatch.syspath_prepend(str(plugins))
    rig = Rig(tmp_path)
    yield rig
    for host in rig.hosts.values():
        for run in rig.runs:
            host.wait_idle(run)
    sys.modules.pop("far_hosts", None)


def keys(cloud: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in cloud.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_machines_bring_what_they_write_to_the_bucket_and_get_it_from_there(rig: Rig, cloud: Any, bucket: str) -> None:
    url = f"s3://{bucket}/stage"

    run = rig.play(_PASS_ON, url)

    assert run.state == "succeeded", "\n".join(map(str, rig.events(run)))
    assert (rig.project.results(run.id) / "use" / "y").read_text() == "y\n"
    ways = {(each.source, each.target, each.straight) for each in rig.moves(run)}
    assert {("h1", url, True), (url, "h2", True), ("h2", url, True), (url, "", False)} <= ways
    made = [each for event in rig.moves(run) for each in event.artifacts if each.path == "make/made"]
    assert made
    assert not Path(rig.project.store, "objects", made[0].sha256[:2], made[0].sha256).exists(), "it came by us"
    assert keys(cloud, bucket) == [], "something is left of the run"
    records = b"".join(path.read_bytes() for path in rig.project.home.rglob("*") if path.is_file())
    assert b"X-Amz-Signature" not in records
    assert b"X-Amz-Signature" not in b"".join(path.read_bytes() for path in rig.world.rglob("*") if path.is_file())
