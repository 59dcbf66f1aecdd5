"""Runs on computers without Python, under several shells."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import frozen

from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.testing import ExecutorBench
from longshore.testing.fake_bare import FakeBareComputer, FakeBareConfig, FakeBareExecutor, FakeBareSession

_APPLETS = """[ base64 cat chmod cp date dd df env find grep head ln ls mkdir mkfifo mv od printf readlink rm sed seq
    setsid sh sha256sum sleep sort stat tail tar test touch tr true wc xargs""".split()


@frozen
class Shell:
    """A shell, and whether nothing but busybox is there."""

    name: str
    words: tuple[str, ...]
    bare: bool = False

    def env(self, folder: Path) -> Mapping[str, str]:
        """Give the variables that it begins with."""
        if not self.bare:
            return {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        applets = folder / "applets"
        if not applets.exists():
            applets.mkdir()
            for name in _APPLETS:
                (applets / name).symlink_to("/bin/busybox")
        return {"PATH": str(applets)}


SHELLS = (
    Shell("dash", ("dash",)),
    Shell("busybox", ("/bin/busybox", "sh"), bare=True),
    Shell("bash", ("bash",)),
)


def machine(identity: str = "key-1", cpus: float = 8.0, gpus: int = 0, slots: int | None = None) -> Machine:
    """Describe the computer."""
    return Machine(
        id="bare", pool="p", resources=Resources(cpus=cpus, gpus=gpus), slots=slots, tags={"identity": identity}
    )


class Bench(ExecutorBench):
    """One run on a computer that is a folder, without Python."""

    def __init__(self, folder: Path, shell: Shell, env: Mapping[str, str] | None = None) -> None:
        if shutil.which(shell.words[0]) is None:
            pytest.fail(f"{shell.words[0]} is not installed; tools/system-packages says how")
        self.computer = FakeBareComputer(folder / "world" / "bare")
        self.computer.prepare("key-1")
        config = FakeBareConfig(
            folder=folder / "world", shell=shell.words, env={**shell.env(folder), "HOME": str(folder), **(env or {})}
        )
        super().__init__(
            folder,
            FakeBareExecutor,
            config,
            machine(),
            cut=self.drop,
            kill=lambda: self.computer.crash("r"),
            imposter=machine("key-2"),
        )
        self.there = self.computer.run_folder("r")

    def drop(self) -> None:
        """Cut the link once."""
        session = self.session
        assert isinstance(session, FakeBareSession)
        session.drop()

    def close(self) -> None:
        """Leave no process behind."""
        super().close()
        self.computer.wait_idle("r")


__all__ = ["SHELLS", "Bench", "Shell", "machine", "timedelta"]
