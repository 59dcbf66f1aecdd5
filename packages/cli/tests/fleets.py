"""Computers that share an account on a sandbox, a cloud in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from longshore_sandbox import CloudClient

from .harness import SECONDS, Project

SETTINGS = """
deadline = "10 s"
listing_lag = "100 ms"
latency = "5 ms"
quota = 100

[[kinds]]
type = "small"
cpus = 2
memory = "4 GiB"
rate = "0.10"

[[kinds]]
type = "small"
cpus = 2
memory = "4 GiB"
rate = "0.03"
spot = true

[[kinds]]
type = "large"
cpus = 8
memory = "32 GiB"
rate = "0.40"

[[kinds]]
type = "odd"
cpus = 8
memory = "32 GiB"
"""

WORKFLOW = """
name = "pv"

[providers.sandbox]
folder = "{cloud}"

[pools.cloud]
provider = "sandbox"
executor = "sandbox"
type = "small"
machines = {{ max = 8 }}

[tasks.t]
command = "true"
"""


def cloud_of(project: Project) -> CloudClient:
    """Open the cloud that a project of `on_a_cloud` rents from, as its operator."""
    return CloudClient(_folder(project))


def on_a_cloud(project: Project) -> Project:
    """Give a project a pool on a cloud of its own."""
    folder = _folder(project)
    folder.mkdir()
    (folder / "cloud.toml").write_text(SETTINGS)
    project.write(WORKFLOW.format(cloud=folder))
    return project


def another_computer(project: Project, name: str) -> Project:
    """The same project and account, and a ledger of its own."""
    return evolve(project, env=project.env | {"XDG_STATE_HOME": str(project.folder.parent / name)})


def alive(project: Project) -> set[str]:
    """Say what is paid for."""
    return {each.id for each in cloud_of(project).living()}


def sides(project: Project) -> int:
    """Count the side resources."""
    return len(cloud_of(project).sides)


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for what only the cloud can tell."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what} never came to be"


def _folder(project: Project) -> Path:
    return project.folder.parent / "cloud"
