"""Executes attempts on the sandbox's machines, which share no files with the project as far as it can tell."""

from __future__ import annotations

from pathlib import Path

from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore.plugin.protocols import ExecutorContext
from longshore.testing import FakeRemoteConfig, FakeRemoteExecutor
from longshore_sandbox.config import ExecutorConfig
from longshore_sandbox.hardware import SandboxComputer

__all__ = ["SandboxExecutor"]


class SandboxExecutor(FakeRemoteExecutor):
    """The kit's remote-shaped executor, for machines that are where their address says, and prove their token."""

    def __init__(self, config: ExecutorConfig, context: ExecutorContext) -> None:
        super().__init__(FakeRemoteConfig(folder=Path(), reconnect=config.reconnect), context)

    def _computer(self, machine: Machine) -> SandboxComputer:
        return SandboxComputer(Path(machine.address))

    def _wanted(self, machine: Machine) -> str:
        return machine.tags.get(Tag.TOKEN, "")
