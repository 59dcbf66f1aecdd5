"""A user with a project, an account on the AWS of the tests, and machines there that are real hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from longshore import Run, load, start
from longshore.runtime.history import RunReader
from longshore.runtime.ledger import Ledger
from longshore.runtime.project import Project
from longshore.testing.mortal import begin

from .rig import REGION, Cloud

__all__ = ["SECONDS", "Story", "phases"]

SECONDS = 90.0
"""No run is longer."""
_DEADLINE = "4500 ms"

_HEAD = """
name = "pv"
max_cost = "5 USD"

[providers.aws]
owner = "me"
user_data = '''
{user_data}'''
regions = ["{region}"]
endpoint_url = "{url}"
admit = ["203.0.113.7/32"]
deadline = "{deadline}"
listing_lag = "200 ms"

[pools.cloud]
provider = "aws"
type = "t3.micro"
"""


class Story:
    """All that is the user's lies below one folder."""

    def __init__(self, folder: Path, cloud: Cloud, disks: Path) -> None:
        self.cloud = cloud
        self.disks = disks
        self.folder = folder / "project"
        self.home = folder / "home"
        self.folder.mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh" / "config").write_text(f"Host *\n    ProxyCommand {cloud.control('proxy')}\n")

    @property
    def env(self) -> Mapping[str, str]:
        """What the user's shell has set; nothing else of ours counts."""
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "s3cr3t-login-key",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def home_on(self, machine: str) -> Path:
        """Give the login user's home on a machine."""
        return self.disks / machine / "root" / "home" / "ubuntu"

    def write(self, pool: str, tasks: str, user_data: str = "", deadline: str = _DEADLINE) -> None:
        """Write the workflow file. A run waits for the deadline until it takes an instance for gone."""
        head = _HEAD.format(region=REGION, url=self.cloud.url, user_data=user_data, deadline=deadline)
        (self.folder / "longshore.toml").write_text(f"{head}{pool}\n{tasks}")

    def start(self, pool: str, tasks: str, user_data: str = "", deadline: str = _DEADLINE) -> Run:
        """Begin a run in this process, whose environment is the user's."""
        self.write(pool, tasks, user_data, deadline)
        loaded = load(self.folder / "longshore.toml")
        return start(loaded.spec, loaded.folder)

    def command(self, *words: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Type a command, and wait until it is done."""
        return subprocess.run(
            [sys.executable, "-m", "longshore_cli", *words],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def controller(self) -> subprocess.Popen[str]:
        """Begin a run in a process of its own, which tells the kind of each event as a line."""
        return begin(self.folder, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.env})

    def reader(self) -> RunReader:
        """Read the latest run."""
        project = Project(self.folder)
        return RunReader(project.run_folder(project.find_run(None)))

    def instances(self, *states: str) -> list[Any]:
        """List what the account shows, past the layer."""
        wanted = [{"Name": "instance-state-name", "Values": list(states or ("pending", "running", "stopped"))}]
        pages = self.cloud.admin().get_paginator("describe_instances").paginate(Filters=wanted)
        return [row for page in pages for group in page["Reservations"] for row in group["Instances"]]

    def sides(self) -> list[str]:
        """Name what there is in the account beside machines, and was not there at first."""
        admin = self.cloud.admin()
        groups = [each["GroupName"] for each in admin.describe_security_groups()["SecurityGroups"]]
        keys = [each["KeyName"] for each in admin.describe_key_pairs()["KeyPairs"]]
        disks = [each["VolumeId"] for each in admin.describe_volumes()["Volumes"]]
        return [name for name in groups if name != "default"] + keys + disks

    def check_nothing_is_left(self) -> None:
        """No instance, host, group, key, disk or lease."""
        assert self.instances() == []
        assert self.cloud.control("hosts") == []
        assert self.sides() == []
        with Ledger.open(self.home / "state" / "longshore" / "ledger.db") as ledger:
            assert ledger.leases() == []


def phases(rows: Sequence[Any]) -> Mapping[str, str]:
    """Say how each task is."""
    return {row.id: str(row.phase) for row in rows}
