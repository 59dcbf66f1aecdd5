"""Whole runs on machines of DigitalOcean: each droplet is a host that executes the boot data it was sent."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from longshore import Run, load, machines, start
from longshore.errors import LongshoreError
from longshore.runtime.ledger import Ledger
from longshore.testing.clouds import DigitalOcean
from longshore.testing.fake_hosts import FakeHosts, missing

from .description import check
from .rig import TOKEN

SECONDS = 60.0
"""No run is longer."""
_HEAD = """
name = "pv"
max_cost = "1 USD"

[providers.do]
owner = "me"
endpoint_url = "{url}"
admit = ["203.0.113.7/32"]
deadline = "4500 ms"
listing_lag = "200 ms"

[pools.cloud]
provider = "do"
type = "s-2vcpu-4gb"
machines = {{ max = 2 }}
"""
FAN = """
[tasks.raw]
command = "seq 1000 > raw.txt"
outputs = ["raw.txt"]
pool = "cloud"

[tasks.part]
for_each.n = { range = [1, 4] }
command = "head -n $n workflow:///raw/raw.txt > part.txt"
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "cat workflow:///part/*/part.txt | wc -l > all.txt"
outputs = ["all.txt"]
"""


class Prompt(DigitalOcean):
    """Shows droplets in lists at once, and has them up at once: time is not moved by hand here."""

    lag = boot = timedelta(0)


class Story:
    """A user with a project, and an account whose machines are real."""

    def __init__(self, folder: Path, cloud: DigitalOcean, url: str, hosts: FakeHosts, off: threading.Event) -> None:
        self.cloud = cloud
        self.off = off
        """Set when a host has powered itself off."""
        self.hosts = hosts
        self.folder = folder / "project"
        self.folder.mkdir()
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh" / "config").write_text(f"Host *\n    ProxyCommand {hosts.proxy_command}\n")
        self._head = _HEAD.format(url=url)

    def start(self, pool: str, tasks: str) -> Run:
        (self.folder / "longshore.toml").write_text(f"{self._head}{pool}\n{tasks}")
        loaded = load(self.folder / "longshore.toml")
        return start(loaded.spec, loaded.folder)

    def check_nothing_is_left(self) -> None:
        assert self.cloud.droplets == {}
        assert self.cloud.firewalls == {}
        assert self.cloud.keys == {}
        assert self.hosts.living() == []
        with Ledger.open() as ledger:
            assert ledger.leases() == []


@pytest.fixture
def story(tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    if reason := missing():
        pytest.skip(reason)
    cloud = Prompt(TOKEN, check=check)
    off = threading.Event()

    def powered_off(name: str) -> None:
        cloud.powered_off(name)
        off.set()

    cloud.hosts = hosts = FakeHosts(tmp_path / "hosts", off=powered_off)
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", TOKEN)
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    try:
        with cloud.serving(tls) as url:
            yield Story(tmp_path, cloud, url, hosts, off)
    finally:
        hosts.close()
    assert cloud.violations == []


def test_a_run_rents_boots_reaches_and_ends_its_machines(story: Story) -> None:
    with story.start("", FAN) as run:
        run.wait(timeout=SECONDS)

    assert run.state == "succeeded"
    assert (run.results / "all" / "all.txt").read_text().strip() == "10"
    story.check_nothing_is_left()


def test_a_machine_that_has_powered_itself_off_still_costs_until_it_is_ended(story: Story) -> None:
    story.start("", '[tasks.none]\ncommand = "true"\n').wait(timeout=SECONDS)
    (machine,) = machines.up("cloud", folder=story.folder, lifetime=timedelta(hours=1))
    until = time.monotonic() + SECONDS
    while not story.off.wait(0.1):
        assert time.monotonic() < until
        # It may not answer yet; and once it is off, the link breaks.
        with suppress(LongshoreError), machines.open_shell(machine.id, folder=story.folder) as shell:
            shell.execute(["poweroff"], feed=None, tell=lambda _stream, _data: None)
    assert [(row["id"], row["status"]) for row in story.cloud.droplets.values()] == [(int(machine.id), "off")]

    machines.down(machine.id, folder=story.folder)
    assert machines.gc(story.folder, patience=timedelta(seconds=SECONDS)).clean
    story.check_nothing_is_left()
